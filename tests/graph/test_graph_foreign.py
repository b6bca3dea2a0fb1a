"""Relationships to nodes that somebody else keeps, while that somebody goes on working on them."""

import polars as pl
import pytest
from graph_tables import image_id, passage, tables_of

from kg_pipeline.graph import GraphError, read_graph, sync, wanted_graph
from kg_pipeline.ids import document_id
from kg_pipeline.tables import TABLES

EDGES = """
MATCH (d:Document)-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE d.id IS NULL AND e.collection = 'test'
RETURN d.title AS title, i.id AS image ORDER BY title, image
"""
THEIRS = "MATCH (d:Document) WHERE d.generation IS NULL RETURN properties(d) AS p ORDER BY d.title"


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        connection.run("CREATE (:Document {title: 'a.md', owner: 'Ann'}), (:Document {title: 'b.md', owner: 'Bob'})")
        yield connection


def foreign(evidence=(("a.md", 0, "pump", 9.0), ("b.md", 0, "valve", 8.0)), key="title", titles=None):
    """The small collection with its documents kept by somebody else."""
    tables = tables_of(documents={"a.md": 2, "b.md": 1}, evidence=evidence, rejected=(), concepts=())
    titles = titles or {}
    tables["documents"] = tables["documents"].with_columns(
        node_label=pl.lit("Document"),
        key_property=pl.lit(key),
        key_value=pl.col("path").replace(titles),
        owned=False,
        format=pl.lit("graph"),
    )
    return wanted_graph("test", tables)


def test_documents_of_others_are_ends_and_no_nodes(connection, tmp_path):
    before = connection.read(THEIRS)
    wanted = foreign()
    assert wanted.nodes["Document"].is_empty()
    report = sync(connection, "test", wanted, home=tmp_path)
    assert (report.foreign_missing, report.dangling) == (0, {})
    assert connection.read(EDGES) == [
        {"title": "a.md", "image": image_id("pump")},
        {"title": "b.md", "image": image_id("valve")},
    ]
    assert connection.read("MATCH (c:Chunk)-[:FROM_DOCUMENT]->(d:Document {owner: 'Ann'}) RETURN count(c) AS n") == [
        {"n": 2}
    ]
    assert connection.read(THEIRS) == before
    assert sync(connection, "test", wanted, home=tmp_path).writes == 0
    assert sync(connection, "test", wanted, home=tmp_path, read_back=True).writes == 0
    assert sync(connection, "test", wanted, home=tmp_path / "another home").writes == 0


def test_ours_and_theirs_of_one_label_are_told_apart(connection, tmp_path):
    """Another collection has documents of our own with the same titles, and theirs may have an `id` too."""
    connection.run("MATCH (d:Document {title: 'a.md'}) SET d.id = 'their own id', d.collection = 'their shelf'")
    tables = tables_of("own", documents={"a.md": 2, "b.md": 1})
    tables["documents"] = tables["documents"].with_columns(title="path")
    sync(connection, "own", wanted_graph("own", tables), home=tmp_path)
    wanted = foreign()
    assert sync(connection, "test", wanted, home=tmp_path).foreign_missing == 0
    found = read_graph(connection, "test", ("Document.title",))
    for name, frame in wanted.parts():
        assert dict(found.parts())[name].equals(frame), name
    own = read_graph(connection, "own", ("Document.title",))
    assert own.edges["HAS_VISUAL_EVIDENCE"].select("start_key").unique().to_series().to_list() == ["id"]
    ours = document_id("own", "a.md")
    crossed = "MATCH (d:Document {id: $id})-[e]-() WHERE e.collection = 'test' RETURN count(e) AS n"
    assert connection.read(crossed, id=ours) == [{"n": 0}]
    sync(connection, "test", wanted_graph("test", {}), home=tmp_path, allow_mass_delete=True)
    assert connection.read("MATCH (d:Document {id: 'their own id'}) RETURN d.collection AS c") == [{"c": "their shelf"}]


@pytest.mark.parametrize(
    "change",
    [
        "MATCH (d:Document {title: 'a.md'}) SET d.title = 'c.md'",
        "MATCH (d:Document {title: 'a.md'}) DETACH DELETE d",
        "MATCH (d:Document {title: 'a.md'}) DETACH DELETE d CREATE (:Document {title: 'a.md', owner: 'Cyd'})",
        "MATCH (a:Document {title: 'a.md'}), (b:Document {title: 'b.md'}) SET a.title = 'b.md', b.title = 'a.md'",
        "MATCH (a:Document {title: 'a.md'}) SET a.title = 'c.md' CREATE (:Document {title: 'a.md', owner: 'Cyd'})",
        "MATCH (a:Document {title: 'a.md'})-[e:HAS_VISUAL_EVIDENCE]->() DELETE e",
    ],
)
def test_edges_follow_the_keys_whatever_their_keeper_does(connection, tmp_path, change):
    wanted = foreign()
    sync(connection, "test", wanted, home=tmp_path)
    connection.run(change)
    theirs = connection.read(THEIRS)
    report = sync(connection, "test", wanted, home=tmp_path)
    there = {row["p"]["title"] for row in theirs}
    expected = [("a.md", image_id("pump")), ("b.md", image_id("valve"))]
    assert [(row["title"], row["image"]) for row in connection.read(EDGES)] == [
        (title, image) for title, image in expected if title in there
    ]
    assert (report.foreign_missing > 0) == ("a.md" not in there)
    assert connection.read(THEIRS) == theirs
    assert sync(connection, "test", wanted, home=tmp_path).writes == 0


def test_a_renamed_document_takes_its_edges_to_its_new_key(connection, tmp_path):
    sync(connection, "test", foreign(), home=tmp_path)
    connection.run("MATCH (d:Document {title: 'a.md'}) SET d.title = 'c.md'")
    sync(connection, "test", foreign(titles={"a.md": "c.md"}), home=tmp_path)
    assert [row["title"] for row in connection.read(EDGES)] == ["b.md", "c.md"]
    count = "MATCH (:Document)-[e]-() WHERE e.collection = 'test' RETURN count(e) AS n"
    assert connection.read(count) == [{"n": 5}]


def test_keys_that_are_numbers_are_found_as_numbers(connection, tmp_path):
    connection.run("CREATE (:Document {number: 17}), (:Document {number: -3})")
    wanted = foreign(key="number", titles={"a.md": "17", "b.md": "-3"})
    assert sync(connection, "test", wanted, home=tmp_path).foreign_missing == 0
    found = connection.read(
        "MATCH (d:Document)-[:HAS_VISUAL_EVIDENCE]->(:Image) RETURN d.number AS number ORDER BY number"
    )
    assert found == [{"number": -3}, {"number": 17}]
    assert sync(connection, "test", wanted, home=tmp_path).writes == 0


@pytest.mark.parametrize(("label", "key"), [("Document", "id"), ("Chunk", "name"), ("A-B", "x"), ("A", "x) //")])
def test_nodes_that_we_write_ourselves_and_injected_names_are_no_foreign_nodes(label, key):
    tables = tables_of()
    row = tables["documents"].to_dicts()[0]
    row |= {"node_label": label, "key_property": key, "key_value": passage("a.md", 0), "owned": False}
    with pytest.raises(GraphError):
        wanted_graph("test", tables | {"documents": TABLES["documents"].rows([row])})
