"""What a transaction survives on a real server: lost answers, deadlocks, nodes deleted under its hands; how rows go."""

import threading
import time

import pytest
from graph_faults import Fate, Faults, failing
from graph_tables import image_id, tables_of

from kg_pipeline.graph import DriftError, GraphError, read_graph, statements, sync, wanted_graph
from kg_pipeline.graph import apply as applying
from kg_pipeline.graph import connection as connecting
from kg_pipeline.graph.model import MARKER, NODES

WAIT_SECONDS = 60


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


def wait_until_blocked(connection) -> None:
    """Until a transaction waits for the lock of another."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not connection.read("SHOW TRANSACTIONS YIELD status WHERE status STARTS WITH 'Blocked' RETURN status"):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("fate", [Fate.LOST_BEFORE, Fate.LOST_AFTER])
@pytest.mark.parametrize("at", [1, 2, 8])
def test_a_lost_answer_to_a_commit_is_no_error(connection, tmp_path, fate, at):
    faults = Faults(at, fate)
    wanted = wanted_graph("test", tables_of())
    assert sync(failing(connection, faults), "test", wanted, home=tmp_path).generation == 1
    assert faults.commits > at
    assert read_graph(connection, "test", ()).equals(wanted)


def test_a_commit_whose_answer_is_always_lost_is_an_error_at_last(connection, monkeypatch):
    monkeypatch.setattr(connecting, "ATTEMPTS", 2)
    faults = Faults(1, Fate.LOST_BEFORE)
    monkeypatch.setattr(faults, "on_commit", lambda: Fate.LOST_BEFORE)
    with pytest.raises(GraphError, match="no Neo4j server answers"):
        failing(connection, faults).run("CREATE (:Chunk {id: 'x'})")
    assert connection.read("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_an_image_that_its_last_collection_lets_go_of_meanwhile_is_there_for_the_next(connection, tmp_path):
    nothing = {"references": (), "evidence": (), "rejected": (), "concepts": ()}
    first, second = (wanted_graph(name, tables_of(name, images=("pump",), **nothing)) for name in ("first", "second"))
    sync(connection, "first", first, home=tmp_path)
    rows = {"rows": [[image_id("pump")]], "collection": "first", "marker": MARKER}
    ended = []
    with connection.driver.session() as session, session.begin_transaction() as other:
        for text in statements.node_deletes(NODES["Image"]):
            other.run(text, rows).consume()
        thread = threading.Thread(target=lambda: ended.append(sync(connection, "second", second, home=tmp_path)))
        thread.start()
        wait_until_blocked(connection)
        other.commit()
    thread.join(WAIT_SECONDS)
    assert ended[0].generation == 1
    assert read_graph(connection, "second", ()).equals(second)


def test_a_node_that_vanished_in_between_is_tried_again(connection):
    attempts = []

    def work(transaction):
        attempts.append(1)
        if len(attempts) < 3:
            raise connecting.bolt.Neo4jError._hydrate_neo4j(
                code="Neo.ClientError.Statement.EntityNotFound", message="Node with id 7 has been deleted"
            )
        return transaction.run("RETURN 1 AS one").single()["one"]

    assert connection.write(work) == 1
    assert len(attempts) == 3


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_of_two_transactions_in_a_deadlock_both_come_through(connection):
    connection.run("CREATE (:Chunk {id: 'a', line_start: 0}), (:Chunk {id: 'b', line_start: 0})")
    attempts, both_hold_one = [], threading.Barrier(2, timeout=WAIT_SECONDS)

    def raise_both(first, second):
        tried = []

        def work(transaction):
            text = "MATCH (n:Chunk {id: $id}) SET n.line_start = n.line_start + 1"
            transaction.run(text, id=first).consume()
            if not tried:
                tried.append(1)
                both_hold_one.wait()
            attempts.append(first)
            transaction.run(text, id=second).consume()

        connection.write(work)

    threads = [threading.Thread(target=raise_both, args=ends) for ends in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert len(attempts) > 2
    assert connection.read("MATCH (n:Chunk) RETURN DISTINCT n.line_start AS n") == [{"n": 2}]


def test_rows_are_deleted_in_limited_batches(connection, tmp_path, monkeypatch):
    documents = {f"{number}.md": 1 for number in range(30)}
    sync(
        connection, "test", wanted_graph("test", tables_of(documents=documents | {"a.md": 2, "b.md": 1})), home=tmp_path
    )
    monkeypatch.setattr(applying, "NODE_ROWS", 8)
    monkeypatch.setattr(applying, "EDGE_ROWS", 8)
    send, sizes = applying._send, []

    def counted(claim, texts, batch, *rest):
        sizes.append(batch.height)
        return send(claim, texts, batch, *rest)

    monkeypatch.setattr(applying, "_send", counted)
    wanted = wanted_graph("test", tables_of())
    report = sync(connection, "test", wanted, home=tmp_path, allow_mass_delete=True)
    assert report.deleted["Document"] == 30
    assert max(sizes) <= 8
    assert read_graph(connection, "test", ()).equals(wanted)


def test_nothing_is_deleted_when_the_counts_are_wrong(connection, tmp_path, monkeypatch):
    sync(connection, "test", wanted_graph("test", tables_of(images=("pump", "valve", "logo", "old"))), home=tmp_path)
    right = applying.count
    monkeypatch.setattr(applying, "count", lambda *given: {name: number + 1 for name, number in right(*given).items()})
    with pytest.raises(DriftError, match="instead of"):
        sync(connection, "test", wanted_graph("test", tables_of()), home=tmp_path)
    assert connection.read("MATCH (n:Image {id: $id}) RETURN count(n) AS n", id=image_id("old")) == [{"n": 1}]
