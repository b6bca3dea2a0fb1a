import re

import pytest

from kg_pipeline.graph import GraphError, constraints, schema_text, statements
from kg_pipeline.graph.model import NAME, NODES, RELATIONSHIPS, SYNCED_NODES, checked_name
from kg_pipeline.graph.readback import allowed_ends


def all_statements():
    for node in SYNCED_NODES.values():
        yield from (statements.node_upsert(node), *statements.node_deletes(node), statements.node_read(node))
        yield statements.node_count(node)
    for edge in RELATIONSHIPS.values():
        yield statements.edge_count(edge)
        for ends in allowed_ends(edge, ["Product.sku"]):
            yield from (statements.edge_upsert(edge, ends), statements.edge_delete(edge, ends))
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
        assert all(NAME.fullmatch(name) for name in (node.label, *node.extra_labels, *node.schema, *node.stamped))
    for edge in RELATIONSHIPS.values():
        assert all(NAME.fullmatch(name) for name in (edge.type, *edge.start, *edge.end, *edge.properties))
        assert {*edge.start, *edge.end} <= set(NODES)
        assert set(edge.key) <= set(edge.properties)


def test_the_schema_text_names_every_label_and_type():
    text = schema_text()
    assert "(:Chunk|Document)-[:HAS_VISUAL_EVIDENCE {" in text
    assert all(name in text for name in (*NODES, *RELATIONSHIPS))
