"""The page of edges in a real browser: filters, order, links into it, and that it loads nothing foreign."""

import gzip
import re
from base64 import b64decode
from json import loads
from pathlib import Path

import polars as pl
import pytest
from chromium import open_page
from playwright.sync_api import Page, expect

from kg_pipeline.reports import write_edges
from kg_pipeline.reports.plain_text import plain
from kg_pipeline.tables import TABLES

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
HOSTILE = "<script>window.hacked = 1</script>\"><img src=x onerror='window.hacked = 1'>.png"
PICTURES = 60


def edge(number: int, kind: str = "chunk", **columns: object) -> dict[str, object]:
    """Of picture `number`; the smaller the number, the less certain."""
    confidence = 0.5 + number / 200
    return {
        "type": "HAS_VISUAL_EVIDENCE",
        "image_id": f"{number:064x}",
        "text_kind": kind,
        "text_id": "lamp" if kind == "chunk" else "d",
        "document_id": "d",
        "best_chunk_id": "lamp",
        "score": 10 * confidence,
        "log_odds": 1.0,
        "confidence": confidence,
        "confidence_source": "score",
        "rank": 1,
        "margin_points": 5.0 - number / 20,
        "image_rank": 1,
        "kept": True,
        "scorer": "evidence-model/1",
        "reason": f"Score: {10 * confidence:.1f} — like pictures are used here; kept: rank 1 ≤ 3",
        "contributions": [{"name": "intercept", "value": -2.0}, {"name": "siblings", "value": 3.0}],
        **columns,
    }


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    """Sixty pictures of a lamp; the last one stands elsewhere too, and its name is hostile."""
    paths = [f"img/lamp-{number:03}.png" for number in range(PICTURES - 1)] + [HOSTILE]
    rows = {
        "documents": [{"document_id": "d", "path": "manual.md", "format": "markdown", "status": "ok"}],
        "chunks": [
            {"chunk_id": "lamp", "document_id": "d", "index": 0, "heading_path": ["Lamps"], "line_start": 3,
             "text": "The **red** lamp of `rack_1` [glows](x.html)."},
            {"chunk_id": "wrench", "document_id": "d", "index": 1, "heading_path": ["Tools"], "text": "A wrench."},
        ],
        "image_files": [{"path": path, "uri": f"file:///kb/{n}.png", "status": "ok"} for n, path in enumerate(paths)],
        "images": [{"image_id": f"{n:064x}", "path": path, "role": "content"} for n, path in enumerate(paths)],
        "references": [{"document_id": "d", "line": 1, "image_id": f"{0:064x}", "status": "ok"}],
        "visual_evidence": [
            *(edge(number) for number in range(PICTURES)),
            edge(3, "document"),
            edge(PICTURES - 1, rank=2, text_id="wrench", best_chunk_id="wrench", reason=HOSTILE,
                 contributions=[{"name": HOSTILE, "value": 1.0}]),
            edge(5, rank=2, text_id="wrench", best_chunk_id="wrench", kept=False),
        ],
    }  # fmt: skip
    return {name: TABLES[name].rows(found) for name, found in rows.items()}


@pytest.fixture(scope="module")
def path(tables, tmp_path_factory) -> Path:
    return write_edges(tmp_path_factory.mktemp("edges") / "edges.html", "racks", tables, lambda uri: PIXEL)


@pytest.fixture(scope="module")
def browser():
    with open_page() as page:
        yield page


@pytest.fixture
def opened(browser: Page, path: Path):
    def open_(address: str = "") -> Page:
        browser.goto("about:blank")
        browser.goto(path.as_uri() + address)
        expect(browser.locator("#tools [role=status]")).to_contain_text("edge")
        return browser

    return open_


def status(page: Page) -> str:
    return page.locator("#tools [role=status]").text_content() or ""


def first(page: Page) -> str:
    return page.locator("#edges .card").first.get_attribute("data-image") or ""


def test_the_least_certain_edges_come_first_and_others_are_drawn_when_scrolled_to(opened):
    page = opened()
    assert status(page) == "62 of 62 edges"
    assert first(page) == f"{0:064x}"
    assert page.locator("#edges .card").count() == 40
    page.mouse.wheel(0, 20_000)
    expect(page.locator("#edges .card")).to_have_count(62)


def test_a_card_says_what_a_person_needs_to_judge_the_edge(opened):
    card = opened().locator("#edges .card").first
    for words in (
        "The red lamp of rack_1 glows.", "manual.md:3", "Lamps", "confidence 0.50", "rank 1", "margin 5.0", "siblings",
        "like pictures are used here", "log-odds 1.0 → confidence 0.50, score / 10",
    ):  # fmt: skip
        expect(card).to_contain_text(words)
    expect(card.locator("img")).to_have_attribute("src", PIXEL)


def test_edges_are_filtered_and_sorted_and_the_view_can_be_passed_on(opened):
    page = opened()
    page.select_option("[name=kind]", "document")
    assert status(page) == "1 of 62 edges"
    page.select_option("[name=kind]", "")
    page.fill("[name=confidence]", "0.55")
    expect(page.locator("#tools [role=status]")).to_have_text("11 of 62 edges")
    page.fill("[name=confidence]", "")
    page.select_option("[name=order]", "margin_points")
    page.fill("[name=words]", "wrench tools")
    expect(page.locator("#tools [role=status]")).to_have_text("1 of 62 edges")
    again = opened(page.url[page.url.index("#") :])
    assert status(again) == "1 of 62 edges"
    assert again.locator("[name=order]").input_value() == "margin_points"


def test_one_link_shows_the_edges_of_a_picture_or_of_a_passage(opened):
    page = opened(f"#image={3:064x}")
    assert status(page) == "2 of 62 edges"
    expect(page.locator("#only")).to_contain_text("img/lamp-003.png")
    page.get_by_text("show all edges").click()
    assert status(page) == "62 of 62 edges"
    assert status(opened("#text=wrench")) == "1 of 62 edges"
    gone = opened("#image=" + "f" * 64)
    expect(gone.locator("#only")).to_contain_text("may be gone")


def test_names_and_reasons_run_nothing(opened):
    page = opened("#text=wrench")
    expect(page.locator("#edges .card")).to_contain_text("<script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#edges script").count() == 0


def test_the_page_holds_all_it_shows_and_is_the_same_for_the_same_tables(path, tables, tmp_path):
    html = path.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"?(https?:|//)", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    [data] = re.findall(r'id="data">([^<]+)<', html)
    assert len(loads(gzip.decompress(b64decode(data)))["edges"]["picture"]) == 62
    again = write_edges(tmp_path / "edges.html", "racks", tables, lambda uri: PIXEL)
    assert again.read_bytes() == path.read_bytes()


def test_a_collection_without_edges_has_a_page(tmp_path):
    assert "0 edges" in write_edges(tmp_path / "edges.html", "empty", {}, lambda uri: None).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("**Bold** and *slanted* `code_x`", "Bold and slanted code_x"),
        ("a_b_c, 2 ** 3 and \\*", "a_b_c, 2 ** 3 and *"),
        ("- one **x**\n- two", "• one x\n• two"),
        ("1. first `y`\n2. second", "1. first y\n2. second"),
        ("[text](a.html \"title\") <span>in</span>", "text in"),
        ("```\nx = **y\n```", "x = **y"),
        ("**报警**灯亮起", "报警灯亮起"),
    ],
)  # fmt: skip
def test_the_marks_of_markdown_are_not_shown(marked, read):
    assert plain(marked, "markdown") == read
    assert plain(marked, "text") == marked
