import pytest

from kg_pipeline.graph import GraphError
from kg_pipeline.graph.sources import read_nodes, reading_nodes
from kg_pipeline.graph_nodes import ConceptNodes, DocumentNodes

PRODUCTS = ConceptNodes(label="Product", key="sku", name="name", aliases="synonyms", description="text")


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


def asked(query, **settings):
    return ConceptNodes(label="Product", key="sku", query=query, **settings)


def test_every_node_of_the_label_is_a_row_by_key(connection):
    connection.run(
        "CREATE (:Product {sku: 'b-1', name: 'Pump', synonyms: ['lift', 'mover'], text: 'moves water'}), "
        "(:Product {sku: 17, name: 'Valve', synonyms: 'gate| tap '}), (:Product {sku: -5}), (:Product {sku: '007'}), "
        "(:Other {sku: 'c'})"
    )
    read = read_nodes(connection, "test", PRODUCTS)
    assert read.error is None
    assert read.rows.rows() == [
        ("-5", None, [], None, None),
        ("007", None, [], None, None),
        ("17", "Valve", ["gate", "tap"], None, None),
        ("b-1", "Pump", ["lift", "mover"], "moves water", None),
    ]


def test_keys_that_are_missing_unusable_or_shared_are_counted_and_named(connection):
    connection.run(
        "CREATE (:Product), (:Product {sku: 1.5}), (:Product {sku: true}), (:Product {sku: ''}), "
        "(:Product {sku: 'twice', name: 'a'}), (:Product {sku: 'twice', name: 'b'}), "
        "(:Product {sku: 7}), (:Product {sku: '7'}), (:Product {sku: 'once'})"
    )
    read = read_nodes(connection, "test", PRODUCTS)
    assert read.without_key == 4
    problems = dict(read.rows.select("key", "problem").rows())
    assert problems["once"] is None
    assert "2 nodes (:Product {sku: '7'})" in problems["7"]
    assert "2 nodes" in problems["twice"]
    assert read.rows.filter(key="twice")["name"].item() is None


def test_our_own_nodes_are_never_a_source(connection):
    connection.run(
        "CREATE (:Document {title: 'theirs', collection: 'books'}), "
        "(:Document {id: '1', title: 'ours', collection: 'kb', generation: 3}), "
        "(:Concept:__Entity__ {id: '2', name: 'ours', managed_by: 'kg-pipeline'}), (:Concept {name: 'theirs'})"
    )
    for nodes in (
        DocumentNodes(label="Document", key="title"),
        DocumentNodes(label="Document", key="title", query="MATCH (d:Document) RETURN d.title AS key"),
        ConceptNodes(label="Concept", key="name"),
    ):
        rows = read_nodes(connection, "test", nodes).rows
        assert rows.filter(rows["problem"].is_null())["key"].to_list() == ["theirs"]


def test_a_query_says_which_nodes_and_what_their_names_are(connection):
    connection.run(
        "CREATE (a:Product {sku: 'a', state: 'on'}), (b:Product {sku: 'b'}), (a)-[:CALLED]->(:Name {text: 'Pump'})"
    )
    nodes = asked(
        "MATCH (p:Product {state: 'on'})-[:CALLED]->(n) RETURN p.sku AS key, collect(n.text) AS aliases // all"
    )
    read = read_nodes(connection, "test", nodes)
    assert read.rows.select("key", "aliases").rows() == [("a", ["Pump"])]
    doubled = read_nodes(connection, "test", asked("UNWIND ['a', 'a', 'gone', 'b'] AS key RETURN key"))
    problems = dict(doubled.rows.select("key", "problem").rows())
    assert problems["b"] is None
    assert "2 rows" in problems["a"]
    assert "no node" in problems["gone"]


@pytest.mark.parametrize(
    "query",
    [
        "CREATE (n:Product {sku: 'new'}) RETURN n.sku AS key",
        "MATCH (n:Product) SET n.sku = 'changed' RETURN n.sku AS key",
        "MATCH (n:Product) WITH n, n.sku AS key DETACH DELETE n RETURN key",
    ],
)
def test_a_query_that_writes_is_refused_also_when_it_got_past_the_configuration(connection, query):
    connection.run("CREATE (:Product {sku: 'a'})")
    nodes = asked("RETURN 1 AS key").model_copy(update={"query": query})
    with pytest.raises(GraphError):
        read_nodes(connection, "test", nodes)
    assert connection.read("MATCH (n) RETURN labels(n) AS l, n.sku AS sku") == [{"l": ["Product"], "sku": "a"}]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("MATCH (p:Product) RETURN p.sku AS sku", "test brings no column `key` but sku"),
        ("MATCH (p:Product) RETURN p.sku AS key, p.x AS colour", "unknown column colour"),
        ("MATCH (p:Product) RETURN", "refused a statement"),
    ],
)
def test_a_query_that_cannot_be_used_names_collection_and_column(connection, tmp_path, graph_server, query, words):
    connection.run("CREATE (:Product {sku: 'a'})")
    with reading_nodes(graph_server.settings, tmp_path, enabled=False) as read:
        answer = read("test", asked(query))
        assert words in str(answer.error)
        assert answer.rows.is_empty()
