"""What is read in a PDF."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_pdfs import Page, jpeg, manual, pdf, plot

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.captions import is_caption
from kg_pipeline.documents.containers.pdf import read
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.parsed import Cut, EmbeddedPicture, Heading, ImageReference, ParsedDocument
from kg_pipeline.documents.passages import cut_passages
from kg_pipeline.documents.scans import with_scans


def test_headings_are_lines_larger_than_the_body_and_the_largest_is_the_title():
    document = read(manual(), Limits())
    assert document.title == "Pump Manual"
    assert [(heading.level, heading.text) for heading in document.headings] == [
        (1, "Pump Manual"),
        (2, "Replacing the valve"),
        (2, "Pressure over time"),
    ]
    assert document.pages == (1, 3, 7)


def test_passages_end_with_their_page():
    pages = [Page().text(f"A line of text on page {number}.") for number in range(1, 4)]
    passages = cut_passages(read(pdf(*pages), Limits()), "x")
    assert [(passage.page, passage.text) for passage in passages] == [
        (number, f"A line of text on page {number}.") for number in range(1, 4)
    ]


def test_a_drawing_is_cut_out_and_a_table_is_not():
    table = "\n".join(f"100 {400 + 20 * i} 300 20 re S" for i in range(12))
    words = Page().text("Some words beside the drawing, so it is no scan.").draw(plot())
    document = read(pdf(words, Page().text("Some words beside a table.").draw(table)), Limits())
    assert [picture.name for picture in document.pictures] == ["p1-1.png"]
    assert document.pictures[0].data.startswith(b"\x89PNG")


def test_labels_of_a_drawing_are_in_the_picture_and_not_in_the_text():
    page = Page().text("Some words beside the drawing.").draw(plot(100, 300))
    document = read(pdf(page.text("bar", x=150, y=350).text("Figure 1: Pressure", x=120, y=280)), Limits())
    assert [line for line in document.prose if line] == ["Some words beside the drawing."]
    assert [(r.target, r.caption) for r in document.references] == [("p1-1.png", "Figure 1: Pressure")]


def test_a_picture_is_kept_byte_for_byte_and_once():
    page = Page().text("The same picture twice.").image(jpeg(3), 100, 400, 90, 60).image(jpeg(3), 300, 400, 90, 60)
    document = read(pdf(page), Limits())
    assert document.pictures == (EmbeddedPicture("p1-1.jpg", jpeg(3)),)
    assert [reference.target for reference in document.references] == ["p1-1.jpg", "p1-1.jpg"]


def test_a_word_cut_at_the_end_of_a_line_is_one_word():
    page = Page().text("The pressure in the hydrau-", y=700).text("lic system is high.", y=688)
    prose = read(pdf(page), Limits()).prose
    assert prose == ("The pressure in the hydraulic system is high.",)


def test_a_picture_without_text_on_its_page_hangs_on_that_page():
    document = read(pdf(Page().text("Words enough for a page."), Page().image(jpeg(1), 0, 0, 50, 50)), Limits())
    assert [(reference.line, reference.target) for reference in document.references] == [(2, "p2-1.jpg")]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", manual()[:150], b"PK\x03\x04 no", b"\0" * 1000])
def test_what_is_no_pdf_is_unreadable(data):
    with pytest.raises(UnreadableDocumentError):
        read(data, Limits())


@pytest.mark.parametrize(
    ("line", "caption"),
    [
        ("Figure 3: The valve", True),
        ("Fig. 2.1 The valve", True),
        ("FIGURE A-3. Valve", True),
        ("Abbildung 4 – Ventil", True),
        ("图 5 阀门", True),
        ("Figure 3 shows the valve", False),
        ("Figures are below", False),
        ("Picture this: a valve", False),
    ],
)
def test_captions_begin_with_a_word_and_a_number(line, caption):
    assert is_caption(line) is caption


@given(
    st.lists(st.text("ab ", max_size=5), min_size=1, max_size=8),
    st.dictionaries(st.integers(1, 8), st.lists(st.text("xy", min_size=1, max_size=3), max_size=4), max_size=4),
)
@settings(max_examples=100)
def test_what_ocr_read_moves_everything_below_it(prose, read_lines):
    lines = range(1, len(prose) + 1)
    read_lines = {line: texts for line, texts in read_lines.items() if line in lines}
    document = ParsedDocument(
        prose=tuple("" if line in read_lines else prose[line - 1] for line in lines),
        headings=tuple(Heading(line, 1, str(line)) for line in lines),
        references=tuple(ImageReference(line, "embedded", str(line)) for line in lines),
        cuts=dict.fromkeys(lines, Cut.PARAGRAPH),
        pages=tuple(lines),
        scans={line: str(line) for line in read_lines},
    )
    moved = with_scans(document, {str(line): texts for line, texts in read_lines.items()})
    assert len(moved.pages) == len(moved.references) == len(prose)
    for line, start, end in zip(lines, moved.pages, [*moved.pages[1:], len(moved.prose) + 1], strict=True):
        expected = tuple(read_lines.get(line) or [document.prose[line - 1]])
        assert moved.prose[start - 1 : end - 1] == expected
    assert [reference.line for reference in moved.references] == list(moved.pages)


def numbered(pages: int = 4):
    made = [
        Page().text(f"Chapter 2: Valves {n}", y=760).text(f"Turn valve {n} to the left.", y=700).text(str(n), y=30)
        for n in range(1, pages + 1)
    ]
    return read(pdf(*made), Limits())


def test_headers_and_footers_that_count_the_pages_are_no_text():
    assert [line for line in numbered().prose if line] == [f"Turn valve {n} to the left." for n in range(1, 5)]


def test_two_pages_are_too_few_to_tell_a_page_number():
    assert "Chapter 2: Valves 1" in numbered(2).prose


def test_a_short_caption_at_the_margin_belongs_to_the_picture_in_the_middle():
    page = Page().text("Turn the valve to the left until it clicks.", y=740).image(jpeg(1), 200, 500, 250, 150)
    document = read(pdf(page.text("Figure 1: Valve", x=72, y=485)), Limits())
    assert [reference.caption for reference in document.references] == ["Figure 1: Valve"]


def test_a_line_of_a_table_of_contents_is_no_heading():
    page = Page().text("2 Installation . . . . . . . . 3", y=740, size=16)
    document = read(
        pdf(page.text("Some text of the usual size that is longer than the line above it.", y=700)), Limits()
    )
    assert document.headings == ()
