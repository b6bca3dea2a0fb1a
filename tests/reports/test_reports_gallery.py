import os
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from chromium import open_page
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.orphans import find_orphans, questionable_references
from kg_pipeline.reports import ReportError, write_gallery
from kg_pipeline.reports.cards import orphan_cards, questionable_cards
from kg_pipeline.reports.views import BARS, THUMBNAIL_CHARACTERS, THUMBNAILS_CHARACTERS, Pictures, decision, waterfall
from kg_pipeline.tables import TABLES

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
HOSTILE = "<script>window.hacked = 1</script>\"><img src=x onerror='window.hacked = 1'>.png"


def frames(**tables: list[dict[str, object]]) -> dict[str, pl.DataFrame]:
    """Frames of the given rows, and the orphans that follow from them."""
    found = {name: TABLES[name].rows(tables.get(name, [])) for name in TABLES if name != "orphan_images"}
    return found | {
        "orphan_images": find_orphans(
            *(found[name] for name in ("image_files", "images", "references", "visual_evidence", "documents"))
        )
    }


def file(name: str, image_id: str | None = None, **columns: object) -> dict[str, object]:
    return {"path": name, "uri": f"file:///kb/{name}", "image_id": image_id or name, "status": "ok", **columns}


def edge(image_id: str, chunk: str, rank: int, confidence: float, **columns: object) -> dict[str, object]:
    return {
        "type": "HAS_VISUAL_EVIDENCE",
        "image_id": image_id,
        "text_kind": "chunk",
        "text_id": chunk,
        "document_id": "d",
        "best_chunk_id": chunk,
        "score": 10 * confidence,
        "confidence": confidence,
        "rank": rank,
        "margin_points": 2.0,
        "kept": confidence >= 0.5,
        "scorer": "a-reranker/7",
        "reason": f"Score: {10 * confidence:.1f} — because",
        "contributions": [{"name": "intercept", "value": -7.0}, {"name": "name_body", "value": 9.0}],
        **columns,
    }


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    """A rack that is used, a spare one that a passage wants, a copy, a stranger, a file that cannot be read."""
    return frames(
        documents=[{"document_id": "d", "path": "manual.md", "format": "markdown", "status": "ok"}],
        chunks=[
            {"chunk_id": "alarm", "document_id": "d", "index": 0, "heading_path": ["Racks", "报警"],
             "text": "服务器机柜内红色报警灯亮起 when a supply fails.", "line_start": 3},
            {"chunk_id": "wrench", "document_id": "d", "index": 1, "heading_path": ["Racks"],
             "text": "Use the torque wrench.", "line_start": 9},
        ],
        image_files=[
            file("used.png", "u"), file("copy.png", "u"), file("spare.png", "s"), file("stranger.png", "x"),
            {"path": "broken.png", "uri": "file:///kb/broken.png", "status": "unreadable", "error": "cut off"},
        ],
        images=[{"image_id": name, "path": path, "role": "content"}
                for name, path in (("u", "used.png"), ("s", "spare.png"), ("x", "stranger.png"))],
        image_texts=[{"image_id": name, "source": "name", "text": text}
                     for name, text in (("u", "used"), ("s", "spare"), ("x", "IMG_0001"))],
        references=[
            {"document_id": "d", "document_path": "manual.md", "chunk_id": "alarm", "line": 4, "target": "used.png",
             "status": "ok", "image_path": "used.png", "image_id": "u"},
            {"document_id": "d", "document_path": "manual.md", "chunk_id": "alarm", "line": 5, "target": "gone.png",
             "status": "missing"},
        ],
        visual_evidence=[
            edge("u", "alarm", 1, 0.95), edge("u", "wrench", 2, 0.6), edge("s", "wrench", 1, 0.8),
            edge("x", "alarm", 1, 0.1),
        ],
    )  # fmt: skip


def page(tmp_path: Path, tables: dict[str, pl.DataFrame], thumbnail=lambda uri: PIXEL, **options) -> str:
    path = write_gallery(tmp_path / "out" / "gallery.html", "racks", tables, thumbnail, **options)
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects what the page would load or run, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "srcset", "data", "poster")]
        self.loads += [dict(attrs).get("href") for _ in (0,) if tag in ("link", "base", "use")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        self.text += data


def test_the_page_loads_nothing_and_its_policy_forbids_it(tmp_path, tables):
    html = page(tmp_path, tables)
    reader = Reader(html)
    assert set(reader.loads) == {PIXEL}
    assert reader.handlers == []
    assert reader.tags.count("script") == 1
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe" not in policy[1]
    assert "url(" not in html
    assert "@import" not in html


def test_every_section_shows_its_rows(tmp_path, tables):
    text = Reader(page(tmp_path, tables)).text
    for words in (
        "服务器机柜内红色报警灯亮起", "Racks › 报警", "spare.png", "suggestion 1", "Score: 8.0 — because",
        "same bytes as", "gone.png", "no such file", "cut off", "name_body", "+9.0", "not near enough",
        "1 picture has none",
    ):  # fmt: skip
        assert words in text, words


def test_names_and_passages_are_escaped(tmp_path):
    tables = frames(
        documents=[
            {"document_id": "d", "path": HOSTILE, "format": "markdown", "status": "unreadable", "error": HOSTILE}
        ],
        chunks=[{"chunk_id": "c", "document_id": "d", "index": 0, "heading_path": [HOSTILE], "text": HOSTILE}],
        image_files=[file(HOSTILE, "a", uri="javascript:window.hacked=1"), file("b.png", "b")],
        images=[{"image_id": "a", "path": HOSTILE, "role": "content"}],
        references=[{"document_id": "d", "document_path": HOSTILE, "line": 1, "target": HOSTILE, "status": "missing"}],
        visual_evidence=[edge("a", "c", 1, 0.9, reason=HOSTILE, contributions=[{"name": HOSTILE, "value": 1.0}])],
        concepts=[{"concept_id": "k", "name": HOSTILE}],
    )  # fmt: skip
    html = write_gallery(tmp_path / "g.html", HOSTILE, tables, lambda uri: PIXEL).read_text(encoding="utf-8")
    reader = Reader(html)
    assert reader.tags.count("script") == 1
    assert reader.handlers == []
    assert set(reader.loads) == {PIXEL}
    assert "javascript:" not in html
    assert reader.text.count("window.hacked = 1") > 8


def test_a_thumbnail_that_is_no_data_picture_or_too_big_is_not_embedded(tmp_path, tables):
    for address in (
        "https://example.com/a.png",
        "data:text/html,x",
        "data:image/svg+xml," + "x" * THUMBNAIL_CHARACTERS,
    ):
        reader = Reader(page(tmp_path, tables, lambda uri, address=address: address))
        assert reader.loads == []
        assert "no thumbnail" in reader.text


def test_a_file_that_could_not_be_read_gets_no_thumbnail(tmp_path, tables):
    asked: list[str] = []
    page(tmp_path, tables, asked.append)
    assert "file:///kb/used.png" in asked
    assert "file:///kb/broken.png" not in asked
    assert len(asked) == len(set(asked))


def test_the_page_says_when_it_is_incomplete(tmp_path, tables):
    assert "incomplete" not in Reader(page(tmp_path, tables)).text
    tables["documents"] = TABLES["documents"].rows(
        [{"document_id": "q", "path": "secret", "format": "folder", "status": "unreadable", "error": "denied"}]
    )
    text = Reader(page(tmp_path, tables)).text
    assert "This report is incomplete." in text
    assert "Folder secret could not be listed (denied)" in text


def test_the_page_says_when_nobody_looked_at_pixels_and_what_that_leaves_open(tmp_path, tables):
    assert "does not look at pixels" not in Reader(page(tmp_path, tables)).text
    tables["visual_evidence"] = tables["visual_evidence"].with_columns(scorer=pl.lit("evidence-model/1"))
    text = Reader(page(tmp_path, tables)).text
    assert "does not look at pixels beyond OCR" in text
    assert re.search(r"1 picture it cannot judge.*?stranger\.png", text, re.DOTALL)


def test_caps_are_counted_on_the_page_and_every_reason_has_its_turn(tmp_path):
    wanted = [f"wanted-{letter}.png" for letter in "abcdef"]
    tables = frames(
        documents=[{"document_id": "d", "path": "a.md", "format": "markdown", "status": "ok"}],
        chunks=[{"chunk_id": "c", "document_id": "d", "index": 0, "heading_path": [], "text": "text"}],
        image_files=[file(name) for name in [*wanted, "other.png"]],
        images=[{"image_id": name, "path": name, "role": "content"} for name in [*wanted, "other.png"]],
        visual_evidence=[edge(name, "c", 1, 0.9) for name in wanted],
    )
    reader = Reader(page(tmp_path, tables, pictures_per_section=3))
    assert "4 of 7 orphans are left out here" in reader.text
    assert "3 of 6 pictures are left out here" in reader.text
    assert "other.png" in reader.text
    assert reader.tags.count("li") == 6


def test_empty_tables_make_a_page_that_says_so(tmp_path):
    text = Reader(page(tmp_path, {})).text
    assert "Every picture file is used by a document" in text
    assert "No pair of picture and passage is kept" in text


def test_the_same_tables_give_the_same_bytes(tmp_path, tables):
    assert page(tmp_path, tables) == page(tmp_path, dict(reversed(tables.items())))


def test_a_gallery_is_replaced_whole_or_not_at_all(tmp_path, tables, monkeypatch):
    before = page(tmp_path, tables)

    def full_disk(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ReportError, match="No space left on device; check free space"):
        page(tmp_path, {})
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["gallery.html"]
    assert (tmp_path / "out" / "gallery.html").read_text(encoding="utf-8") == before


def test_a_large_collection_stays_below_ten_megabytes(tmp_path):
    names = [f"folder/{n}/{'picture' * 8}.png" for n in range(3000)]
    chunks = [
        {"chunk_id": f"c{n}", "document_id": "d", "index": n, "heading_path": ["标题" * 8] * 3, "text": "报警灯" * 400}
        for n in range(40)
    ]
    parts = [{"name": f"feature_number_{n}", "value": n - 4.5} for n in range(12)]
    tables = frames(
        documents=[{"document_id": "d", "path": "long/path/" * 8 + "a.md", "format": "markdown", "status": "ok"}],
        chunks=chunks,
        image_files=[file(name) for name in names],
        images=[{"image_id": name, "path": name, "role": "content"} for name in names],
        references=[
            {
                "document_id": "d",
                "document_path": "long/path/" * 8 + "a.md",
                "line": n,
                "target": name * 3,
                "status": "missing",
            }
            for n, name in enumerate(names)
        ],
        visual_evidence=[
            edge(name, f"c{(n + rank) % 40}", rank, 0.9, contributions=parts, reason="because " * 30)
            for n, name in enumerate(names)
            for rank in (1, 2, 3)
        ],
    )
    html = page(tmp_path, tables, lambda uri: "data:image/webp;base64," + "A" * 5_500)
    assert len(html.encode()) < 10_000_000
    assert len(html.encode()) > 8_000_000
    assert "orphans are left out here" in html


def test_thumbnails_beyond_the_budget_are_left_out_and_counted(tmp_path):
    size = THUMBNAIL_CHARACTERS - 100
    names = [f"{n}.png" for n in range(THUMBNAILS_CHARACTERS // size + 10)]
    tables = frames(
        image_files=[file(name) for name in names],
        images=[{"image_id": name, "path": name, "role": "content"} for name in names],
    )
    text = Reader(page(tmp_path, tables, lambda uri: "data:image/webp;base64," + "A" * (size - 23))).text
    assert "9 thumbnails are left out" in text


@given(st.lists(st.floats(-9, 9, allow_nan=False), max_size=14))
def test_a_waterfall_ends_at_the_sum_and_stays_inside_the_chart(values):
    bars = waterfall([{"name": f"f{n}", "value": value} for n, value in enumerate(values)])
    assert len(bars) <= BARS + 2
    if bars:
        assert bars[-1].value == pytest.approx(sum(values), abs=1e-9)
    for bar in bars:
        assert bar.start >= 0
        assert bar.start + bar.width <= 100.2


def test_a_waterfall_goes_from_the_intercept_by_size_to_what_others_take_away():
    small = [{"name": f"small_{n:02}", "value": 0.01} for n in range(BARS + 2)]
    large = [("rivals", -4.0), ("name_body", 1.0), ("reranker", 2.0), ("ocr_body", -3.0), ("intercept", -0.25)]
    bars = waterfall([*small, *({"name": name, "value": value} for name, value in large)])
    names = [bar.name for bar in bars]
    assert names[:3] == ["intercept", "ocr_body", "name_body"]
    assert names[-4:] == ["4 smaller", "rivals", "reranker", "sum"]
    assert bars[-4].note.startswith(f"small_{BARS - 2} +0.01, small_{BARS - 1} +0.01")
    assert bars[-1].value == pytest.approx(-4.25 + 0.01 * len(small))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "log-odds +2.0 → confidence 0.88, score / 10"),
        ({"confidence_source": "calibrated", "log_odds": 7.0},
         "log-odds +2.0 → confidence 0.88, calibrated on the references of this collection"),
        ({"log_odds": 7.0}, "decided by the reranker: log-odds +7.0 → confidence 0.88, score / 10; the bars say what "
         "words and paths say"),
        ({"confidence": None}, "no confidence: it could not be scored"),
    ],
)  # fmt: skip
def test_the_way_from_the_sum_to_the_confidence_is_said(columns, said):
    row = {"text_kind": "chunk", "confidence": 0.88, "confidence_source": "score", "log_odds": 2.0}
    parts = [{"name": "intercept", "value": -7.0}, {"name": "name_body", "value": 9.0}]
    assert decision({**row, "contributions": parts, **columns}) == said


def test_a_series_is_one_card_that_shows_all_its_pictures(tmp_path):
    names = [f"fan-{n}.png" for n in range(3)]
    tables = frames(
        documents=[{"document_id": "d", "path": "a.md", "format": "markdown", "status": "ok"}],
        chunks=[{"chunk_id": "c", "document_id": "d", "index": 0, "heading_path": [], "text": "text"}],
        image_files=[file(name) for name in names],
        images=[{"image_id": name, "path": name, "role": "content"} for name in names],
        visual_evidence=[edge(name, "c", 1, 0.9 - n / 10) for n, name in enumerate(names)],
    )
    cards = orphan_cards(tables, Pictures(tables["image_files"], lambda uri: PIXEL), 10)
    assert [(card.picture.path, card.rank, card.count) for card in cards] == [("fan-0.png", 1, 3)]
    assert [other.path for other in cards[0].others] == ["fan-1.png", "fan-2.png"]
    reader = Reader(page(tmp_path, tables))
    assert "3 pictures" in reader.text
    assert "are left out here" not in reader.text


def test_a_questionable_reference_shows_what_either_passage_wants_and_shows(tmp_path, tables):
    other = {"document_id": "e", "chunk_id": "other", "document_path": "other.md"}
    more = {
        "documents": {"document_id": "e", "path": "other.md", "format": "markdown", "status": "ok"},
        "chunks": {"document_id": "e", "chunk_id": "other", "index": 0, "heading_path": ["Other"], "text": "wants it"},
        "references": {**other, "line": 2, "target": "stranger.png", "status": "ok", "image_path": "stranger.png",
                       "image_id": "x"},
    }  # fmt: skip
    shown = dict(tables)
    for name, row in more.items():
        shown[name] = pl.concat([tables[name], TABLES[name].rows([row])])
    doubted = [
        edge("u", "d", 2, 0.1, text_kind="document", best_chunk_id="alarm", log_odds=-2.0),
        edge("u", "e", 1, 0.9, text_kind="document", document_id="e", best_chunk_id="other", log_odds=2.0),
        edge("s", "alarm", 1, 0.9, image_rank=1),
    ]
    shown["visual_evidence"] = TABLES["visual_evidence"].rows(doubted)
    questionable = questionable_references(shown["references"], shown["visual_evidence"])
    [card] = questionable_cards(shown, questionable, Pictures(shown["image_files"], lambda uri: PIXEL))
    assert (card.picture.path, card.here.document, card.there.document) == ("used.png", "manual.md", "other.md")
    assert card.wanted_here is not None
    assert card.shown_there is not None
    assert (card.wanted_here.path, card.shown_there.path) == ("spare.png", "stranger.png")
    text = Reader(page(tmp_path, shown)).text
    assert re.search(r"would rather have\s+spare\.png.*shows now\s+stranger\.png", text, re.DOTALL)


def test_documents_and_concepts_show_their_waterfall_too(tmp_path, tables):
    more = [
        edge("u", "d", 1, 0.97, text_kind="document", best_chunk_id="alarm", confidence_source="calibrated",
             contributions=[{"name": "name_body", "value": 1.0}, {"name": "other_passages", "value": 2.5}]),
        edge("u", "k", 1, 0.6, text_kind="concept", type="ILLUSTRATES", document_id=None),
    ]  # fmt: skip
    tables["visual_evidence"] = pl.concat([tables["visual_evidence"], TABLES["visual_evidence"].rows(more)])
    tables["concepts"] = TABLES["concepts"].rows([{"concept_id": "k", "name": "报警灯"}])
    reader = Reader(page(tmp_path, tables))
    assert re.search(r"document\s+manual\.md.*other_passages\s*\+2\.5.*concept\s+报警灯", reader.text, re.DOTALL)
    assert "log-odds +3.5 → confidence 0.97" in reader.text
    assert "what the document's other passages add" in reader.text


@pytest.fixture
def opened(tmp_path, tables):
    """The gallery in a browser; after the test: no error, no violation of the policy, no request to anywhere."""
    page(tmp_path, tables)
    with open_page(width=400, height=800) as tab:
        messages: list[str] = []
        requests: list[str] = []
        tab.on("console", lambda message: messages.append(message.text))
        tab.on("pageerror", lambda error: messages.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto((tmp_path / "out" / "gallery.html").as_uri())
        yield tab
        assert messages == []
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def shown(tab, section: str) -> list[str]:
    cards = tab.locator(f"{section} [data-card]:visible")
    return [card.get_attribute("data-card") for card in cards.all()]


@pytest.mark.browser
def test_reason_buttons_filter_the_orphans(opened):
    assert len(shown(opened, "#orphans")) == 4
    opened.get_by_role("button", name="duplicate").click()
    assert shown(opened, "#orphans") == ["copy.png"]
    assert opened.locator("#orphans [role=status]").inner_text() == "1 shown"
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Enter")
    assert shown(opened, "#orphans") == ["broken.png"]


@pytest.mark.browser
def test_search_filter_and_order_work_together_on_the_evidence(opened):
    assert shown(opened, "#evidence") == ["spare.png", "used.png"]
    opened.locator("#evidence select").select_option("strongest")
    assert shown(opened, "#evidence") == ["used.png", "spare.png"]
    opened.locator("#evidence select").select_option("path")
    assert shown(opened, "#evidence") == ["spare.png", "used.png"]
    opened.locator("h1").click()
    opened.keyboard.press("/")
    opened.keyboard.type("报警灯")
    assert shown(opened, "#evidence") == ["used.png"]
    opened.get_by_role("button", name="not in use").click()
    assert shown(opened, "#evidence") == []
    opened.locator("#evidence input").focus()
    opened.keyboard.press("Escape")
    assert shown(opened, "#evidence") == ["spare.png"]


@pytest.mark.browser
def test_the_page_fits_a_narrow_window_and_draws_its_bars(opened):
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
    assert opened.locator("#evidence .bars rect").first.bounding_box()["width"] > 10
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 249)"
    opened.emulate_media(color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"


@pytest.mark.browser
def test_hostile_names_run_nothing(tmp_path):
    tables = frames(image_files=[file(HOSTILE, "a", uri="file:///" + HOSTILE)])
    path = write_gallery(tmp_path / "g.html", HOSTILE, tables, lambda uri: PIXEL)
    with open_page() as tab:
        tab.goto(path.as_uri())
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("h1").inner_text() == HOSTILE
