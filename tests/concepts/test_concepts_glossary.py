import pytest

from kg_pipeline.concepts import ConceptError, concept_text, read_concepts
from kg_pipeline.tables import TABLES


def read(make_collection, tmp_path, text: str | bytes, chunks=()):
    path = tmp_path / "glossary.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_concepts(make_collection(concepts={"glossary": path}), *tables(chunks))


def tables(chunks):
    documents = TABLES["documents"].rows([{"document_id": "d", "path": "d.md", "status": "ok"}])
    rows = [
        {"chunk_id": f"c{index}", "document_id": "d", "index": index, "text": text, "heading_path": headings}
        for index, (headings, text) in enumerate(chunks)
    ]
    return documents, TABLES["chunks"].rows(rows)


def test_names_aliases_and_descriptions_are_read(make_collection, tmp_path):
    text = "\ufeffName,Aliases,Description\nroboRIO,RIO | robo controller,The controller\n控制器,,\n"
    concepts = read(make_collection, tmp_path, text).concepts.sort("name")
    assert concepts["name"].to_list() == ["roboRIO", "控制器"]
    assert concepts["aliases"].to_list() == [["RIO", "robo controller"], []]
    assert concepts["description"].to_list() == ["The controller", None]
    assert concepts["owned"].all()


def test_the_id_depends_on_the_folded_name_alone(make_collection, tmp_path):
    one = read(make_collection, tmp_path, "name\nCAN  Bus\n").concepts
    other = read(make_collection, tmp_path, "name,description\nＣＡＮ bus,other words\n").concepts
    assert one["concept_id"].to_list() == other["concept_id"].to_list()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title,aliases\nx,y\n", 1, "no column `name`"),
        ("name,aliases\nx,y\n,z\n", 3, "name is empty"),
        ("name,aliases\nx,y,z\n", 2, "more cells than columns"),
        ('name\n"x\n', 2, "not valid CSV"),
        (b"name\nx\n\xff\n", 3, "not UTF-8"),
        ("", 1, "no column `name`"),
    ],
)
def test_an_error_names_file_and_line(make_collection, tmp_path, text, line, words):
    with pytest.raises(ConceptError) as error:
        read(make_collection, tmp_path, text)
    assert f"glossary.csv, line {line}" in str(error.value)
    assert words in str(error.value)


def test_a_missing_glossary_is_an_error(make_collection, tmp_path):
    with pytest.raises(ConceptError, match="cannot be read"):
        read_concepts(make_collection(concepts={"glossary": tmp_path / "none.csv"}), *tables([]))


def test_a_line_break_inside_quotes_is_part_of_the_cell(make_collection, tmp_path):
    concepts = read(make_collection, tmp_path, 'name,description\nx,"two\nlines"\ny,z\n').concepts
    assert concepts.sort("name")["description"].to_list() == ["two\nlines", "z"]


def test_headings_of_the_wanted_levels_are_concepts_but_generic_ones_are_not(make_collection):
    chunks = [(["Motors", "Overview"], "a"), (["Motors", "Brushless Motors"], "b"), (["概述"], "c"), ([], "d")]
    collection = make_collection(concepts={"heading_levels": [1, 2]})
    assert sorted(read_concepts(collection, *tables(chunks)).concepts["name"]) == ["Brushless Motors", "Motors"]
    collection = make_collection(concepts={"heading_levels": [2]})
    assert read_concepts(collection, *tables(chunks)).concepts["name"].to_list() == ["Brushless Motors"]


def test_numbers_and_marks_are_no_part_of_a_heading(make_collection):
    chunks = [(["1. Overview", "2.1 The **CAN** bus"], "a"), (["3、概述"], "b"), (["12 V supply"], "c")]
    collection = make_collection(concepts={"heading_levels": [1, 2]})
    assert sorted(read_concepts(collection, *tables(chunks)).concepts["name"]) == ["12 V supply", "The CAN bus"]


def test_entries_of_the_same_name_are_one_concept(make_collection, tmp_path):
    concepts = read(make_collection, tmp_path, "name,aliases,description\nCAN bus,a,\ncan bus,a|b,wires\n").concepts
    assert concepts.select("name", "aliases", "description").rows() == [("CAN bus", ["a", "b"], "wires")]


def test_the_glossary_wins_over_a_heading_of_the_same_name(make_collection, tmp_path):
    path = tmp_path / "glossary.csv"
    path.write_text("name,description\nmotor,turns\n")
    collection = make_collection(concepts={"glossary": path, "heading_levels": [1]})
    concepts = read_concepts(collection, *tables([(["Motor"], "x")])).concepts
    assert concepts["source"].to_list() == ["glossary"]


def test_the_text_of_a_concept_holds_all_that_is_known_of_it():
    assert concept_text("roboRIO", ["RIO", "ROBORIO"], "a controller") == "roboRIO (RIO): a controller"
    assert concept_text("roboRIO", None, None) == "roboRIO"
