import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kg_pipeline.config import Collection, ConfigError, dump_collection, load_collections
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.model import checked_name
from kg_pipeline.graph_nodes import PLAIN_NAME, ConceptNodes, DocumentNodes

CONCEPTS = "documents: [{root: x}]\n    concepts:\n      graph:\n        - "
ALPHABET = st.text(alphabet="ab1_`'\"){}(-:;/ \\\n$DELETE图", min_size=0, max_size=70)


@given(ALPHABET | st.text(max_size=8))
def test_a_name_that_configuration_takes_is_one_that_cypher_text_takes(name):
    try:
        ConceptNodes(label=name, key="sku", name=None)
        taken = True
    except ValidationError:
        taken = False
    try:
        checked_name(name)
        safe = PLAIN_NAME.fullmatch(name) is not None
    except GraphError:
        safe = False
    assert taken <= safe
    for field in ("key", "name", "aliases", "description"):
        if not safe:
            with pytest.raises(ValidationError):
                ConceptNodes.model_validate({"label": "Product", "key": "sku", field: name})


@pytest.mark.parametrize(
    ("section", "line", "key", "words"),
    [
        ("documents:\n      - graph: {label: 'A) DETACH DELETE (n', key: t}", 4, "documents.0.graph.label", "letters"),
        ("documents:\n      - graph:\n          label: A\n          key: t`", 6, "documents.0.graph.key", "letters"),
        ("documents:\n      - graph: {label: A, kay: t}", 4, "documents.0.graph.kay", "format, key, label, query"),
        ("documents:\n      - graph: {label: Document, key: id}", 4, "documents.0.graph", "writes itself"),
        ("documents:\n      - graph: {label: Image, key: path}", 4, "documents.0.graph", "writes itself"),
        (
            "documents:\n      - root: x\n        graph: {label: A, key: b}",
            3,
            "documents",
            "exactly one of root, graph",
        ),
        ("documents:\n      - name: x", 4, "documents.0.root", "required"),
        (
            "documents:\n      - graph: {label: A, key: b}\n      - graph: {label: A, key: c}",
            2,
            "collections.a",
            "two places are called A",
        ),
        (
            f"{CONCEPTS}{{label: P, key: k, query: 'MATCH (n) SET n.x = 1'}}",
            6,
            "concepts.graph.0.query",
            "may only read",
        ),
        (
            f"{CONCEPTS}{{label: P, key: k, name: n, query: RETURN 1}}",
            6,
            "concepts.graph.0",
            "leave out name",
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(tmp_path, section, line, key, words):
    path = tmp_path / "collections.yaml"
    path.write_text(f"collections:\n  a:\n    {section}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_collections(path)
    [message] = [text for text in str(error.value).splitlines() if words in text]
    assert f"{path}, line {line}" in message
    assert key in message


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (n) CREATE (m) RETURN m.k AS key",
        "match (n) delete n",
        "MATCH (n) /* x */ REMOVE n.x",
        "LOAD   CSV FROM 'http://x' AS row RETURN row AS key",
        "MATCH (n) CALL (n) { RETURN 1 } IN 3 CONCURRENT TRANSACTIONS RETURN n.k AS key",
        "EXPLAIN RETURN 1 AS key",
        "MATCH (n) FOREACH (x IN [1] | SET n.a = x)",
        "MATCH (n) WHERE n.a = '\\'' SET n.x = 1",
    ],
)
def test_a_query_that_writes_is_refused(query):
    with pytest.raises(ValidationError, match="may only read"):
        DocumentNodes(label="A", key="b", query=query)


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (n:Set) WHERE n.set = 'DELETE \"CREATE\"' RETURN n.create AS key // SET it",
        'MATCH (n) WHERE n.`merge` = "it\'s SET" RETURN n.k AS key, n.dataset AS title /* DROP\n */',
        "MATCH (n)-[:CREATE]->(m) WHERE m.offset > $x RETURN n.k AS key",
    ],
)
def test_words_in_names_strings_and_comments_are_no_clauses(query):
    assert DocumentNodes(label="A", key="b", query=query).query == query


def test_a_collection_of_graph_sources_alone_is_dumped_and_loaded_as_it_is(tmp_path):
    section = {
        "name": "a",
        "documents": [{"graph": {"label": "Document", "key": "title", "text": "body"}, "name": "kept"}],
        "concepts": {"graph": [{"label": "Product", "key": "sku", "query": "MATCH (p:Product) RETURN p.sku AS key"}]},
    }
    collection = Collection.model_validate(section)
    assert collection.roots == ()
    assert collection.graph_documents[0].prefix == "kept"
    path = tmp_path / "collections.yaml"
    path.write_text(dump_collection(collection), encoding="utf-8")
    assert load_collections(path)["a"] == collection
