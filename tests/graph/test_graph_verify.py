"""`kg-pipeline graph verify`: every way in which a graph can differ from the tables is found and named."""

import pytest
from graph_content import content
from graph_tables import AT, image_id, passage_id, tables_of

from kg_pipeline.graph import sync, verify, wanted_graph
from kg_pipeline.graph.apply import claim, read_head


@pytest.fixture
def connection(graph_server, tmp_path):
    graph_server.wipe()
    with graph_server.connect() as connection:
        sync(connection, "test", wanted_graph("test", tables_of()), home=tmp_path)
        yield connection


def found(connection, **tables):
    result = verify(connection, "test", wanted_graph("test", tables_of(**tables)))
    return {part.name: (part.missing, part.extra, part.differing) for part in result.parts}, result


def test_a_synced_graph_is_identical(connection):
    differences, result = found(connection)
    assert (differences, result.identical) == ({}, True)
    assert (result.nodes, result.relationships) == (10, wanted_graph("test", tables_of()).size - 10)


def test_nothing_is_written(connection, graph_server):
    before = content(graph_server)
    found(connection, documents={"a.md": 1})
    assert content(graph_server) == before


def test_missing_extra_and_differing_rows_are_counted_and_named(connection):
    connection.run("MATCH (c:Chunk {id: $id}) SET c.text = 'vandal', c.page = 7", id=passage_id("test", "a.md", 0))
    connection.run("MATCH (:Document)-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $id}) DELETE e", id=image_id("pump"))
    connection.run("CREATE (:Document {id: 'more', collection: 'test'})")
    connection.run("MATCH (c:Chunk)-[:FROM_DOCUMENT]->(d) CREATE (d)-[:FROM_DOCUMENT {collection: 'test'}]->(c)")
    differences, result = found(connection)
    assert differences == {
        "Document": (0, 1, 0),
        "Chunk": (0, 0, 1),
        "HAS_VISUAL_EVIDENCE": (1, 0, 0),
        "relationships doubled or with ends of other kinds": (0, 3, 0),
    }
    examples = [example for part in result.parts for example in part.examples]
    assert "extra: more" in examples
    assert f"differs in text, page: {passage_id('test', 'a.md', 0)}" in examples
    assert "vandal" not in str(result)
    [missing] = [example for example in examples if example.startswith("missing: (Document ")]
    assert missing.endswith(f"(Image {image_id('pump')})")


def test_a_run_that_did_not_end_is_a_difference(connection):
    claim(connection, "test", read_head(connection, "test"), AT, ())
    differences, result = found(connection)
    assert (differences, result.identical) == ({}, False)


def test_other_collections_and_other_peoples_nodes_are_no_difference(connection, tmp_path):
    sync(connection, "other", wanted_graph("other", tables_of("other")), home=tmp_path)
    connection.run("CREATE (:Document {id: 'theirs'})-[:FROM_DOCUMENT]->(:Chunk {id: 'theirs'})")
    assert found(connection)[1].identical


def test_the_command_says_what_differs_and_ends_with_its_code(knowledge_base, graph_server, monkeypatch):
    graph_server.select(monkeypatch)
    graph_server.wipe()
    verifying = ("graph", "verify", "--collection", "kb")
    missing = knowledge_base.command(*verifying)
    assert (missing.exit_code, "kg-pipeline run" in missing.output) == (2, True)
    assert knowledge_base.run().exit_code == 0
    same = knowledge_base.command(*verifying)
    assert (same.exit_code, "identical: " in same.output) == (0, True), same.output
    with graph_server.connect() as connection:
        connection.run("MATCH (c:Chunk) SET c.line_start = 0")
    differs = knowledge_base.command(*verifying)
    assert differs.exit_code == 1
    assert "Chunk differs in line_start: " in differs.output
    assert knowledge_base.run().exit_code == 0
    assert knowledge_base.command(*verifying).exit_code == 1
    refreshed = knowledge_base.run("--full-refresh")
    assert refreshed.exit_code == 0, refreshed.output
    assert knowledge_base.last_run()["graph"]["unchanged"] == 0
    assert knowledge_base.command(*verifying).exit_code == 0
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    assert knowledge_base.command(*verifying).exit_code == 2
