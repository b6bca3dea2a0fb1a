from hypothesis import given, settings
from hypothesis import strategies as st

from kg_pipeline.documents.formats import FORMATS
from kg_pipeline.documents.markdown import parse_markdown
from kg_pipeline.documents.passages import AT_MOST, cut_passages, width

# fmt: off
LINES = st.sampled_from([
    "", "", "# Head", "text " * 60, "短い。" * 90, "- item", "  more", "| a | b |", "|---|---|", "```", "====", "----",
    ".. image:: a.png", "   indented", "<ul><li>x", "</ul><table><tr><td>", "</table>", "<!--", "-->", "![a](b.png)",
    "para::", "---", "{{ x", "}}", "<figure>", "<pre>", "</pre>", '!!! note "x"', "    code",
])
# fmt: on


@given(st.lists(LINES, max_size=60), st.sampled_from(sorted(FORMATS)))
@settings(max_examples=300)
def test_passages_tile_every_document_and_hold_all_its_prose(lines, extension):
    text = "\n".join(lines)
    document = FORMATS[extension].parse(text)
    passages = cut_passages(document, "Title")
    assert set(document.lines or range(1, len(document.prose) + 1)) == set(range(1, text.count("\n") + 2))
    assert [passage.row_start for passage in passages] == [1, *(passage.row_end + 1 for passage in passages[:-1])]
    assert passages[-1].row_end == len(document.prose)
    assert document.lines or [passage.line_end for passage in passages] == [passage.row_end for passage in passages]
    assert all(passage.text.strip() for passage in passages)
    prose = [line for line in document.prose if line.strip()]
    held = [line for passage in passages for line in passage.text.split("\n") if line.strip()]
    assert held == (prose or ["Title"])
    assert all(1 <= reference.line <= len(document.prose) for reference in document.references)


@given(st.text(max_size=400), st.sampled_from(sorted(FORMATS)))
@settings(max_examples=300)
def test_any_text_is_parsed(text, extension):
    text = text.replace("\r", "\n")
    document = FORMATS[extension].parse(text)
    assert len(document.lines or document.prose) == len(document.prose)
    assert document.line_of(len(document.prose)) == text.count("\n") + 1


def passages_of(text):
    return cut_passages(parse_markdown(text), "Title")


def test_passages_begin_at_headings_and_carry_the_headings_above():
    found = passages_of("# A\n\none\n\n## B\n\n### C\n\ntwo\n\n## D\n\nthree\n")
    assert [(passage.line_start, passage.heading_path) for passage in found] == [
        (1, ("A",)),
        (5, ("A", "B", "C")),
        (11, ("A", "D")),
    ]
    assert found[1].text == "B\n\nC\n\ntwo"


def test_long_text_is_cut_where_a_paragraph_begins():
    found = passages_of("\n\n".join(["word " * 60] * 9))
    assert [passage.line_start for passage in found] == [1, 7, 13]


def test_wide_characters_count_double():
    found = passages_of("\n\n".join(["字" * 150] * 6))
    assert len(found) == 2


def test_a_list_or_table_is_not_cut_when_it_fits():
    table = "\n".join(["| a | b |", "|---|---|"] + [f"| row {n} | {'x' * 40} |" for n in range(18)])
    found = passages_of(f"{'word ' * 120}\n\n{table}\n")
    assert [passage.line_start for passage in found] == [1, 3]
    assert all(width(passage.text) <= AT_MOST for passage in found)


def test_a_list_that_is_too_long_is_cut_between_items():
    items = "\n".join(f"- step {n} {'x' * 90}\n  more {'y' * 90}" for n in range(12))
    found = passages_of(items)
    assert len(found) > 1
    assert all(passage.text.startswith("- step") for passage in found)


def test_an_image_alone_belongs_to_the_passage_before_it():
    found = passages_of(f"{'word ' * 180}\n\n![x](x.png)\n\n{'next ' * 180}\n")
    assert [(passage.line_start, passage.line_end) for passage in found] == [(1, 4), (5, 6)]


def test_a_document_without_prose_is_one_passage_with_its_title():
    assert [(p.line_start, p.line_end, p.text) for p in passages_of("![x](x.png)\n")] == [(1, 2, "Title")]
    assert [(p.line_start, p.line_end, p.text) for p in passages_of("")] == [(1, 1, "Title")]
