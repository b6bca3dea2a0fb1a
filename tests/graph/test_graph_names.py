import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from graph_tables import image_id, tables_of

from kg_pipeline.config import ConfigError, Settings
from kg_pipeline.graph import (
    GraphError,
    Names,
    check_server,
    count_graph,
    harvest,
    read_graph,
    schema_text,
    sync,
    wanted_graph,
)
from kg_pipeline.graph.model import NODES, RELATIONSHIPS
from kg_pipeline.graph.names import OURS

RENAMED = {
    **{name: f"Kg{name}" for name in NODES},
    **{name: f"KG_{name}" for name in RELATIONSHIPS},
    "Chunk": "Passage",
    "ILLUSTRATES": "SHOWS",
}
THEIRS = set(RENAMED.values()) | {"__Entity__"}


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def renamed(connection, names):
    return replace(connection, names=Names.of(names))


def names_in(connection):
    labels = connection.ask("MATCH (n) UNWIND labels(n) AS name RETURN DISTINCT name")
    types = connection.ask("MATCH ()-[e]->() RETURN DISTINCT type(e) AS name")
    return {row["name"] for row in (*labels, *types)}


def test_every_label_and_type_can_have_another_name(connection, home):
    other = renamed(connection, RENAMED)
    wanted = wanted_graph("test", tables_of(accepted=(("a.md", 0, "pump"),)))
    assert sync(other, "test", wanted, home=home).writes == wanted.size
    assert names_in(connection) == THEIRS
    assert count_graph(other, "test") == {**wanted.counts(), "Collection": 1}
    assert read_graph(other, "test", ()).equals(wanted)
    assert sync(other, "test", wanted, home=home).writes == 0
    assert sync(other, "test", wanted, home=home, read_back=True).writes == 0
    less = wanted_graph("test", tables_of(images=("pump",), references=(), rejected=(), concepts=()))
    sync(other, "test", less, home=home, allow_mass_delete=True)
    assert read_graph(other, "test", ()).equals(less)


def test_nodes_that_have_our_usual_names_are_not_looked_at(connection, home):
    connection.run("CREATE (:Chunk {id: 'mine'})-[:ILLUSTRATES]->(:Image {id: $id})", id=image_id("pump"))
    connection.run("CREATE (:Collection {id: 'test', name: 'mine'})")
    other = renamed(connection, RENAMED)
    wanted = wanted_graph("test", tables_of())
    sync(other, "test", wanted, home=home)
    assert names_in(connection) == THEIRS | {"Chunk", "ILLUSTRATES", "Image", "Collection"}
    assert connection.read("MATCH (n:Chunk)-[e]->(i:Image) RETURN properties(n) AS n, properties(e) AS e") == [
        {"n": {"id": "mine"}, "e": {}}
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"Chunk": "Passage"}),
        ({"Chunk": "Passage"}, {}),
        ({}, {"Collection": "Library"}),
        ({"Collection": "Library"}, {}),
        ({"Collection": "Library"}, {"Collection": "Shelf"}),
    ],
)
def test_a_collection_written_under_other_names_is_refused(connection, home, before, after):
    wanted = wanted_graph("test", tables_of())
    sync(renamed(connection, before), "test", wanted, home=home)
    found = names_in(connection)
    with pytest.raises(GraphError, match="under other names") as raised:
        sync(renamed(connection, after), "test", wanted, home=home)
    assert f"KG_PIPELINE_GRAPH_NAMES='{json.dumps(before)}'" in str(raised.value)
    assert names_in(connection) == found
    assert sync(renamed(connection, before), "test", wanted, home=home).writes == 0


def test_a_verdict_set_by_hand_is_found_under_other_names(connection, home):
    other = renamed(connection, RENAMED)
    sync(other, "test", wanted_graph("test", tables_of()), home=home)
    connection.run("MATCH (:Passage)-[e:KG_HAS_VISUAL_EVIDENCE]->() SET e.verdict = 'rejected'")
    assert harvest(other, "test").rows.height == 2


def test_the_schema_is_told_in_the_names_of_the_database():
    words = set(re.findall(r"\w+", schema_text(Names.of(RENAMED))))
    assert not words & set(OURS)
    assert words >= set(RENAMED.values())


def test_a_name_in_backticks_is_somebody_elses():
    names = Names.of({"Document": "Doc", "REFERENCES": "SHOWS"})
    text = "MATCH (a:Document|Image)-[e:REFERENCES {x: 'REFERENCES'}]->(b:`Document` {Document: 1}) // Document"
    expected = "MATCH (a:Doc|Image)-[e:SHOWS {x: 'SHOWS'}]->(b:`Document` {Document: 1}) // Document"
    assert names.cypher(text) == expected


def test_the_doctor_looks_at_the_renamed_labels(graph_server, connection, tmp_path):
    settings = graph_server.settings.model_copy(update={"graph_names": {"Chunk": "Morsel"}})
    [check] = [check for check in check_server(settings, tmp_path) if check.what == "graph constraints"]
    assert check.ok
    if graph_server.kind == "neo4j":
        assert "Morsel" in check.found


def test_the_environment_gives_the_names(monkeypatch):
    monkeypatch.setenv("KG_PIPELINE_GRAPH_NAMES", '{"Chunk": "Passage"}')
    assert Names.of(Settings().graph_names)["Chunk"] == "Passage"


@pytest.mark.parametrize("text", ["Chunk=Passage", "[]", '{"Chunk": 1}', '{"Chunk": {"a": "b"}}', '{"Chunk": null}'])
def test_names_that_are_no_mapping_are_refused(monkeypatch, text):
    monkeypatch.setenv("KG_PIPELINE_GRAPH_NAMES", text)
    monkeypatch.setenv("NEO4J_PASSWORD", "secret")
    with pytest.raises(ConfigError, match="KG_PIPELINE_GRAPH_NAMES") as raised:
        Settings()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "names",
    [
        {"Chunk": "Passage`) DETACH DELETE n //"},
        {"Chunk": "A B"},
        {"Chunk": ""},
        {"Chunk": "1A"},
        {"Chunk": "Pässage"},
        {"Chunk": "A" * 65},
        {"Chunk": "Passage\n"},
        {"ILLUSTRATES": "X {a: 1}]->() //"},
        {"Chunk}) DETACH DELETE (n": "Passage"},
        {"__Entity__": "Thing"},
        {"id": "key"},
        {"Chunk": "Image"},
        {"Chunk": "Image", "Image": "Chunk"},
        {"Chunk": "image"},
        {"Chunk": "chunk"},
        {"Chunk": "Passage", "Document": "PASSAGE"},
        {"Chunk": "ILLUSTRATES"},
        {"Concept": "__Entity__"},
    ],
)
def test_names_that_cannot_be_are_refused(names):
    with pytest.raises(ConfigError, match="KG_PIPELINE_GRAPH_NAMES"):
        Names.of(names)


def test_a_name_that_stays_is_allowed():
    assert Names.of({"Chunk": "Chunk"}) == Names()
