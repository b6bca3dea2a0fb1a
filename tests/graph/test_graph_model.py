import json
import re

import pytest
from neo4j_graphrag.schema import format_schema
from typer.testing import CliRunner

from kg_pipeline.cli import app
from kg_pipeline.graph import PICTURES_OF_PASSAGES, GraphError, Names, constraints, schema_text, statements
from kg_pipeline.graph.model import NODES, RELATIONSHIPS, SYNCED_NODES, checked_name
from kg_pipeline.graph.readback import allowed_ends
from kg_pipeline.graph_nodes import PLAIN_NAME


def all_statements():
    for node in SYNCED_NODES.values():
        yield from (
            statements.node_merge(node),
            statements.node_create(node),
            *statements.node_deletes(node),
            statements.node_read(node),
        )
        yield statements.node_count(node)
    for edge in RELATIONSHIPS.values():
        yield statements.edge_count(edge)
        for ends in allowed_ends(edge, ["Product.sku"]):
            yield from (
                statements.edge_merge(edge, ends),
                statements.edge_create(edge, ends),
                statements.edge_delete(edge, ends),
            )
            yield statements.edge_read(edge, ends)


def test_constraints_are_such_as_the_community_edition_has():
    for statement in constraints():
        assert re.fullmatch(r"CREATE CONSTRAINT \w+ IF NOT EXISTS FOR \(n:\w+\) REQUIRE n\.id IS UNIQUE", statement), (
            statement
        )
    assert len(constraints()) == len(NODES)


def test_statements_use_nothing_that_is_not_everywhere():
    for text in all_statements():
        assert not re.search(r"apoc\.|\$\(|:\$|CYPHER 25|IN TRANSACTIONS|IS NODE KEY|CALL ", text), text


def test_nothing_is_deleted_that_is_not_of_the_collection():
    for text in all_statements():
        if "DELETE" in text:
            assert re.search(r"collection(:| =) \$collection|managed_by = \$marker", text), text


def test_values_are_parameters():
    for text in all_statements():
        assert "'" not in text, text
        assert '"' not in text, text


@pytest.mark.parametrize("name", ["", "a b", "a`b", "1a", "a-b", "ä", "a)-[x", "A" * 65, "a\n"])
def test_only_plain_names_may_stand_in_cypher_text(name):
    with pytest.raises(GraphError, match="cannot be a label"):
        checked_name(name)


def test_every_name_of_the_model_is_plain():
    for node in NODES.values():
        assert all(PLAIN_NAME.fullmatch(name) for name in (node.label, *node.extra_labels, *node.schema, *node.stamped))
    for edge in RELATIONSHIPS.values():
        assert all(PLAIN_NAME.fullmatch(name) for name in (edge.type, *edge.start, *edge.end, *edge.properties))
        assert {*edge.start, *edge.end} <= set(NODES)
        assert set(edge.key) <= set(edge.properties)


def test_the_schema_text_reads_like_that_of_neo4j_graphrag():
    told, notes = schema_text().split("\nWhat they mean:\n")
    sections = re.split(r"(?:Node properties|Relationship properties|The relationships):\n", told)[1:]
    nodes, relationships = ({} for _ in range(2))
    for text, into in zip(sections, (nodes, relationships), strict=False):
        for name, properties in re.findall(r"^(\w+) \{(.*)\}$", text, re.MULTILINE):
            into[name] = [
                dict(zip(("property", "type"), pair.split(": "), strict=True)) for pair in properties.split(", ")
            ]
    patterns = re.findall(r"^\(:(\w+)\)-\[:(\w+)\]->\(:(\w+)\)$", sections[2], re.MULTILINE)
    read = {
        "node_props": nodes,
        "rel_props": relationships,
        "relationships": [dict(zip(("start", "type", "end"), pattern, strict=True)) for pattern in patterns],
    }
    assert format_schema(read, is_enhanced=False) == told
    assert nodes.keys() == NODES.keys()
    assert relationships.keys() == RELATIONSHIPS.keys()
    assert ("Chunk", "HAS_VISUAL_EVIDENCE", "Image") in patterns
    assert {"property": "confidence", "type": "FLOAT"} in relationships["HAS_VISUAL_EVIDENCE"]
    assert all(f"{name}: " in notes for name in (*NODES, *RELATIONSHIPS))


def test_the_schema_text_can_be_printed():
    assert CliRunner().invoke(app, ["graph", "schema"]).stdout == schema_text() + "\n"


def test_the_retrieval_query_and_the_schema_follow_renamed_labels(monkeypatch):
    renamed = {"Chunk": "Passage", "Image": "Picture", "REFERENCES": "SHOWS", "HAS_VISUAL_EVIDENCE": "SHOWN_BY"}
    names = Names.of(renamed)
    query = names.cypher(PICTURES_OF_PASSAGES)
    assert "-[link:SHOWN_BY|SHOWS]->(image:Picture)" in query
    assert "'SHOWS' IN collect(type(link))" in query
    monkeypatch.setenv("KG_PIPELINE_GRAPH_NAMES", json.dumps(renamed))
    text = CliRunner().invoke(app, ["graph", "schema"]).stdout
    assert text == schema_text(names) + "\n"
    assert "(:Passage)-[:SHOWN_BY]->(:Picture)" in text
    assert not [name for name in renamed if re.search(rf"\b{name}\b", query + text)]
