"""What a server or the data may hold against the sync: indexes and doubles in the way, hubs, odd numbers and texts."""

import math
from pathlib import Path

import polars as pl
import pytest
from graph_servers import Memory, own_neo4j
from graph_tables import tables_of

from kg_pipeline.graph import Graph, GraphError, batching, read_graph, sync, wanted_graph
from kg_pipeline.graph.frames import ENDS
from kg_pipeline.graph.unique_keys import unique_labels

on_neo4j = pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
CONSTRAINTS = "SHOW CONSTRAINTS YIELD name"


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


@pytest.fixture
def without_constraints(connection):
    for row in connection.read(CONSTRAINTS):
        connection.run(f"DROP CONSTRAINT `{row['name']}`")
    yield
    connection.run("MATCH (n) DETACH DELETE n")
    for row in connection.read("SHOW INDEXES YIELD name, type, owningConstraint, labelsOrTypes"):
        if row["name"] == "mine" and row["owningConstraint"] is None:
            connection.run("DROP INDEX mine")
    for row in connection.read(CONSTRAINTS):
        connection.run(f"DROP CONSTRAINT `{row['name']}`")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def hub(edges: int) -> Graph:
    """One image that as many passages show, and as many other images of one passage."""
    chunks = pl.DataFrame({"id": [f"c{n}" for n in range(edges)], "text": ["a passage"] * edges})
    images = pl.DataFrame({"id": [f"i{n}" for n in range(edges)], "format": ["PNG"] * edges})
    for name, frame in (("Chunk", chunks), ("Image", images)):
        schema = Graph.empty().nodes[name].schema
        missing = [pl.lit(None, dtype).alias(column) for column, dtype in schema.items() if column not in frame.columns]
        frame = frame.with_columns(missing)  # noqa: PLW2901
        chunks, images = (frame, images) if name == "Chunk" else (chunks, frame)
    ends = pl.DataFrame(
        {
            "start": [*chunks["id"], *["c0"] * (edges - 1)],
            "end": [*["i0"] * edges, *images["id"][1:]],
        }
    ).with_columns(start_label=pl.lit("Chunk"), start_key=pl.lit("id"), end_label=pl.lit("Image"), end_key=pl.lit("id"))
    held = images.select(
        start_label=pl.lit("Image"), start_key=pl.lit("id"), start="id",
        end_label=pl.lit("Collection"), end_key=pl.lit("id"), end=pl.lit("test"),
    )  # fmt: skip
    edge_frames = {}
    for name, frame in (("HAS_VISUAL_EVIDENCE", ends), ("IN_COLLECTION", held)):
        schema = Graph.empty().edges[name].schema
        edge_frames[name] = frame.with_columns(
            pl.lit(None, dtype).alias(column) for column, dtype in schema.items() if column not in ENDS
        )
    return Graph.of({"Chunk": chunks, "Image": images}, edge_frames)


@on_neo4j
def test_several_writers_write_what_one_would(connection, home, monkeypatch):
    monkeypatch.setattr(batching, "PARALLEL_ROWS", 100)
    wanted = hub(1_000)
    assert sync(connection, "test", wanted, home=home).writes == wanted.size
    assert read_graph(connection, "test", ()).equals(wanted)
    less = hub(900)
    sync(connection, "test", less, home=home)
    assert read_graph(connection, "test", ()).equals(less)


def assert_arrives(server, wanted, home):
    with server.connect() as connection:
        assert sync(connection, "test", wanted, home=home).writes == wanted.size
        assert sync(connection, "test", wanted, home=home, read_back=True).writes == 0


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A server that gives a transaction all the memory it has: deleting a hub takes it all at once."""
    with own_neo4j(tmp_path_factory.mktemp("roomy"), Memory(heap="2g", transaction="0")) as server:
        yield server


def test_very_many_passages_can_show_one_image(roomy, home):
    roomy.wipe()
    assert_arrives(roomy, hub(50_000), home)


@pytest.mark.soak
def test_a_million_passages_can_show_one_image(tmp_path, home):
    # On a server of its own, which nobody has to wipe afterwards.
    (tmp_path / "neo4j").mkdir()
    with own_neo4j(tmp_path / "neo4j", Memory(heap="2g", page_cache="1g", transaction="0")) as server:
        assert_arrives(server, hub(1_000_000), home)


def test_texts_of_a_megabyte_arrive_as_they_are(roomy, home):
    roomy.wipe()
    tables, megabyte = tables_of(), "图文 `'\"\\" * 100_000
    tables["chunks"] = tables["chunks"].with_columns(text=pl.lit(megabyte))
    tables["visual_evidence"] = tables["visual_evidence"].with_columns(reason=pl.lit(megabyte))
    assert_arrives(roomy, wanted_graph("test", tables), home)


@on_neo4j
def test_a_constraint_of_another_name_on_our_key_is_as_good(connection, home, without_constraints):
    connection.run("CREATE CONSTRAINT mine FOR (n:Image) REQUIRE n.id IS UNIQUE")
    wanted = wanted_graph("test", tables_of())
    assert sync(connection, "test", wanted, home=home).writes == wanted.size
    assert unique_labels(connection).count("Image") == 1


@on_neo4j
def test_a_plain_index_on_our_key_leaves_nothing_half_done(connection, home, without_constraints):
    connection.run("CREATE INDEX mine FOR (n:OrphanReport) ON (n.id)")
    with pytest.raises(GraphError, match=r"plain index on OrphanReport\.id.*DROP INDEX `mine`"):
        sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    assert connection.read(CONSTRAINTS) == []
    assert connection.read("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


@on_neo4j
def test_doubles_of_our_key_leave_nothing_half_done(connection, home, without_constraints):
    connection.run("CREATE (:OrphanReport {id: 'secret'}), (:OrphanReport {id: 'secret'})")
    with pytest.raises(GraphError, match=r"several nodes \(:OrphanReport\) with the same `id`") as raised:
        sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    assert "secret" not in str(raised.value)
    assert connection.read(CONSTRAINTS) == []
    assert connection.read("MATCH (n) RETURN count(n) AS n") == [{"n": 2}]


@on_neo4j
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308])
def test_odd_numbers_arrive_as_they_are(connection, home, value):
    tables = tables_of()
    tables["visual_evidence"] = tables["visual_evidence"].with_columns(margin=pl.lit(value))
    wanted = wanted_graph("test", tables)
    sync(connection, "test", wanted, home=home)
    assert sync(connection, "test", wanted, home=home).writes == 0
    assert sync(connection, "test", wanted, home=home, read_back=True).writes == 0


@on_neo4j
@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "\r\n\t\x0b\x1f\x7f",
        "`'\"\\}) DETACH DELETE n //",
        "\u202e\ufeff\U0001f600e\u0301",
        " ",
        "",
    ],
    ids=["NUL", "control", "injection", "unicode", "blank", "empty"],
)  # fmt: skip
def test_odd_texts_arrive_as_they_are(connection, home, text):
    tables = tables_of()
    tables["chunks"] = tables["chunks"].with_columns(text=pl.lit(text), heading_path=pl.lit([text]))
    tables["visual_evidence"] = tables["visual_evidence"].with_columns(reason=pl.lit(text), strategies=pl.lit([text]))
    wanted = wanted_graph("test", tables)
    sync(connection, "test", wanted, home=home)
    assert read_graph(connection, "test", ()).equals(wanted)
    assert sync(connection, "test", wanted, home=home, read_back=True).writes == 0
