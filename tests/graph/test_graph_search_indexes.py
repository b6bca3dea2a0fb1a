import re

import pytest
from graph_tables import concept_id, image_id, passage_id, tables_of

from kg_pipeline.graph import (
    check_server,
    create_search_indexes,
    find_search_indexes,
    sync,
    wanted_graph,
)
from kg_pipeline.graph.model import ANALYZER, SEARCH_INDEXES, search_index

SEARCH = "CALL db.index.fulltext.queryNodes($index, $words) YIELD node, score RETURN node.id AS id, score"
FULLTEXT = [index for index in SEARCH_INDEXES if index.kind == "FULLTEXT"]


def drop_indexes(connection):
    ours_or_in_the_way = "type IN ['FULLTEXT', 'VECTOR'] OR labelsOrTypes = ['Page']"
    for row in connection.read(f"SHOW INDEXES YIELD name, type, labelsOrTypes WHERE {ours_or_in_the_way} RETURN name"):
        connection.run(f"DROP INDEX `{row['name']}`")


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        drop_indexes(connection)
        yield connection
        drop_indexes(connection)


on_neo4j = pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True, scope="session")
"""For what only a server with search indexes can show."""


def states(findings):
    return {finding.index.name: finding.state for finding in findings}


@pytest.mark.parametrize("graph_server", ["embedded"], indirect=True, scope="session")
def test_a_server_without_search_indexes_is_left_in_peace(connection):
    assert set(states(create_search_indexes(connection, 8)).values()) == {"unsupported"}


@on_neo4j
def test_indexes_are_created_once_and_can_be_queried_at_once(connection, tmp_path, monkeypatch):
    sync(connection, "test", wanted_graph("test", tables_of()), home=tmp_path)
    assert set(states(find_search_indexes(connection, 8)).values()) == {"missing"}
    assert set(states(create_search_indexes(connection, 8)).values()) == {"online"}
    found = {index.name: connection.read(SEARCH, index=index.name, words=words) for index, words in zip(
        FULLTEXT, ["图像 braces", "title", "valve", "pump"], strict=True
    )}  # fmt: skip
    assert passage_id("test", "a.md", 0) in [row["id"] for row in found["kg_pipeline_chunk_text"]]
    assert len(found["kg_pipeline_document_title"]) == 2
    assert [row["id"] for row in found["kg_pipeline_image_text"]] == [image_id("valve")]
    assert [row["id"] for row in found["kg_pipeline_concept_name"]] == [concept_id("Pump")]
    monkeypatch.setattr(type(connection), "run", lambda *_, **__: pytest.fail("DDL although everything is there"))
    assert set(states(create_search_indexes(connection, 8)).values()) == {"online"}


@on_neo4j
def test_without_embeddings_no_vector_index_is_made(connection):
    assert states(create_search_indexes(connection)) == {index.name: "online" for index in FULLTEXT}


@on_neo4j
@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        (
            "CREATE FULLTEXT INDEX kg_pipeline_chunk_text FOR (n:Chunk) ON EACH [n.text, n.heading]",
            "made with the analyzer standard-no-stop-words instead of cjk: DROP INDEX `kg_pipeline_chunk_text`",
        ),
        (
            "CREATE FULLTEXT INDEX kg_pipeline_chunk_text FOR (n:Page) ON EACH [n.body]",
            r"a FULLTEXT index on Page \(body\): DROP INDEX",
        ),
        ("CREATE INDEX kg_pipeline_chunk_text FOR (n:Page) ON (n.body)", r"a RANGE index on Page \(body\)"),
        (
            "CREATE FULLTEXT INDEX theirs FOR (n:Chunk) ON EACH [n.text, n.heading]",
            "index theirs is in its place: use that one, or DROP INDEX `theirs`",
        ),
        (
            "CREATE VECTOR INDEX kg_pipeline_chunk_embedding FOR (n:Chunk) ON n.embedding OPTIONS "
            "{indexConfig: {`vector.dimensions`: 9, `vector.similarity_function`: 'euclidean'}}",
            "made for EUCLIDEAN instead of cosine, made for 9 dimensions instead of 8",
        ),
    ],
)
def test_what_is_in_the_way_stays_and_is_named(graph_server, connection, tmp_path, statement, advice):
    connection.run(statement)
    before = connection.read("SHOW INDEXES YIELD name, options RETURN name, options ORDER BY name")
    findings = create_search_indexes(connection, 8)
    [finding] = [finding for finding in findings if finding.state == "in the way"]
    assert re.search(advice, finding.advice)
    assert {finding.state for finding in findings} == {"in the way", "online"}
    after = connection.read("SHOW INDEXES YIELD name, options RETURN name, options ORDER BY name")
    assert [row for row in after if row["name"] in {row["name"] for row in before}] == before
    problems = [check for check in check_server(graph_server.settings, tmp_path) if not check.ok]
    assert [check.what for check in problems] == ["graph search"]
    assert "DROP INDEX" in problems[0].remedy


@on_neo4j
def test_a_refusal_is_a_finding_and_no_error(connection, monkeypatch):
    broken = "CREATE FULLTEXT INDEX broken FOR (n:Chunk) ON EACH [n.text] OPTIONS {indexConfig: {`no.such`: 1}}"
    monkeypatch.setattr("kg_pipeline.graph.search_indexes.search_index", lambda index, dimensions: broken)
    findings = create_search_indexes(connection)
    assert {finding.state for finding in findings} == {"refused"}
    assert all("no.such" in finding.advice for finding in findings)


def test_full_text_knows_chinese():
    assert all(f"'{ANALYZER}'" in search_index(index) for index in FULLTEXT)
    assert ANALYZER == "cjk"
