"""Collections in the graph that another version of the program wrote."""

from pathlib import Path

import pytest
from graph_tables import tables_of

from kg_pipeline.graph import GraphError, difference, read_graph, sync, wanted_graph
from kg_pipeline.graph import apply as applying
from kg_pipeline.graph.apply import read_head
from kg_pipeline.graph.model import MODEL_VERSION


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def written_with(connection, version: int | None) -> None:
    connection.run("MATCH (c:Collection {id: 'test'}) SET c.model = $version", version=version)


def test_a_collection_of_this_version_is_left_alone(connection, home):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    assert read_head(connection, "test").model == MODEL_VERSION
    assert sync(connection, "test", wanted, home=home).writes == 0
    # The version stood on no node at first: that was the first model.
    written_with(connection, None)
    assert sync(connection, "test", wanted, home=home).writes == 0


def test_a_collection_of_an_older_version_is_read_back_and_written_anew_once(connection, home):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    written_with(connection, MODEL_VERSION - 1)
    # What an older model left there: a property with another meaning, and a passage that is not wanted any more.
    connection.run("MATCH (c:Chunk) WHERE c.collection = 'test' SET c.heading = 'as it was called then'")
    connection.run("CREATE (:Chunk {id: 'old', collection: 'test', generation: 1})")
    report = sync(connection, "test", wanted, home=home)
    assert report.read_back
    assert sum(report.upserted.values()) == wanted.size
    assert report.deleted == {"Chunk": 1}
    assert read_head(connection, "test").model == MODEL_VERSION
    found = dict(read_graph(connection, "test", ()).parts())
    assert all(found[name].to_dicts() == frame.to_dicts() for name, frame in wanted.parts())
    assert sync(connection, "test", wanted, home=home).writes == 0


def test_an_upgrade_that_is_killed_begins_again(connection, home, monkeypatch):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    written_with(connection, MODEL_VERSION - 1)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(applying, "verify_counts", killed)
    with pytest.raises(KeyboardInterrupt):
        sync(connection, "test", wanted, home=home)
    monkeypatch.undo()
    assert read_head(connection, "test").model == MODEL_VERSION - 1
    report = sync(connection, "test", wanted, home=home)
    assert sum(report.upserted.values()) == wanted.size
    assert read_head(connection, "test").model == MODEL_VERSION


def test_a_collection_of_a_newer_version_is_refused_and_stays_as_it_is(connection, home):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    written_with(connection, MODEL_VERSION + 1)
    for ask in (sync, difference):
        with pytest.raises(GraphError, match=r"newer kg-pipeline \(graph model .*: update"):
            ask(connection, "test", wanted, home=home)
    assert connection.read("MATCH (c:Collection) RETURN c.claimed = c.generation AS done")[0]["done"]
