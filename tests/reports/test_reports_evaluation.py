"""The page of an evaluation and its plots."""

import base64
import re
from pathlib import Path

import pytest
from chromium import open_page
from lxml import etree
from small_corpus import small_corpus

from kg_pipeline.evaluation import Evaluation, History, average_table, evaluate
from kg_pipeline.reports import plots_of, write_evaluation
from kg_pipeline.reports.plots import Axis, Plot, Series

DOCUMENTS = {
    "rack.md": ["# Rack\nThe alarm lamp lights.", "Call the operator.", "Read the <b>panel</b>.", "The end."],
    "pump.md": ["# Pump\nThe valve leaks.", "Replace the seal.", "Nobody knows why.", "Fill in the form."],
}
IMAGES = {"img/alarm-lamp.png": [], "img/seal.png": [], "img/valve.png": [], "img/<i>odd.png": []}
REFERENCES = [
    ("rack.md", 0, "img/alarm-lamp.png"),
    ("pump.md", 3, "img/seal.png"),
    ("pump.md", 0, "img/valve.png"),
    ("rack.md", 3, "img/<i>odd.png"),
]


@pytest.fixture
def evaluation(make_collection) -> Evaluation:
    corpus = small_corpus(DOCUMENTS, IMAGES, REFERENCES)
    return evaluate(
        make_collection(), corpus, ("cold", "folds"), (frozenset(), frozenset({"hashed-names"})), ("format",)
    )


def page_of(tmp_path: Path, *evaluations: Evaluation) -> Path:
    compared = {one.collection: History(tmp_path, one.collection).add(one.table) for one in evaluations}
    average = average_table(evaluations) if len(evaluations) > 1 else None
    return write_evaluation(tmp_path / "evaluation.html", evaluations, compared, average, lambda uri: None)


def test_the_page_has_figures_plots_and_the_misses(tmp_path, evaluation):
    html = page_of(tmp_path, evaluation).read_text(encoding="utf-8")
    for expected in ("recall@50 strict", "file name alone", "cold, hashed-names", "The worst misses", "expected"):
        assert expected in html
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg" class="plot"') == len(plots_of([evaluation])) == 6


def test_names_and_passages_are_escaped(tmp_path, evaluation):
    html = page_of(tmp_path, evaluation).read_text(encoding="utf-8")
    assert "<i>odd" not in html
    assert "<b>panel</b>" not in html
    assert "&lt;i&gt;odd" in html


def test_the_same_evaluation_gives_the_same_page(tmp_path, evaluation):
    page_of(tmp_path, evaluation)
    first = page_of(tmp_path, evaluation).read_bytes()
    assert page_of(tmp_path, evaluation).read_bytes() == first


def test_several_collections_share_a_page(tmp_path, make_collection):
    corpus = small_corpus(DOCUMENTS, IMAGES, REFERENCES)
    both = [evaluate(make_collection(name=name), corpus) for name in ("one", "two")]
    html = page_of(tmp_path, *both).read_text(encoding="utf-8")
    assert "2 collections" in html
    assert "By collection" in html


def test_a_plot_is_well_formed_and_stands_alone(evaluation):
    for plot in plots_of([evaluation]):
        scheme, data = plot.data_uri().split(",", 1)
        assert scheme == "data:image/svg+xml;base64"
        root = etree.fromstring(base64.b64decode(data))
        assert "prefers-color-scheme" in root.find("{*}style").text
        words = {text.text for text in root.iter("{*}text")}
        assert len(plot.series) == 1 or words >= {series.name for series in plot.series}


def test_points_stand_where_the_axes_say():
    axis = Axis("", 1, 100, (1.0, 10.0, 100.0), log=True)
    assert [axis.share(value) for value in (1, 10, 100, 1000, 0)] == pytest.approx([0, 0.5, 1, 1, 0])
    plot = Plot("", "", Axis("", 0, 1, ()), Axis("", 0, 1, ()), (Series("s", [(0, 0), (1, 1)], 1, "steps"),))
    (start, corner, end) = re.search(r'points="([^"]*)"', plot.svg()).group(1).split()
    assert start.split(",")[1] == corner.split(",")[1]
    assert corner.split(",")[0] == end.split(",")[0]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_it_without_a_complaint(tmp_path, evaluation, dark):
    path, complaints = page_of(tmp_path, evaluation), []
    with open_page(1400, 1000, dark) as page:
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        boxes = [plot.bounding_box() for plot in page.locator("figure > svg.plot").all()]
        assert all(box["width"] > 300 and box["height"] > 150 for box in boxes)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    assert not complaints


@pytest.mark.browser
def test_a_phone_scrolls_the_tables_and_not_the_page(tmp_path, evaluation):
    with open_page(400, 800) as page:
        page.goto(page_of(tmp_path, evaluation).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
