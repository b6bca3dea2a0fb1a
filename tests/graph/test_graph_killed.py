"""Processes and servers killed at random moments of a sync: after the next run the graph is that of a clean run."""

import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import graph_sync_process
import pytest
from graph_content import content
from graph_servers import own_neo4j
from graph_sync_process import COLLECTION, save
from graph_tables import tables_of

from kg_pipeline.graph import Graph, GraphError, sync, wanted_graph
from kg_pipeline.graph.connection import DRIVER_SETTINGS, _opened
from kg_pipeline.graph.names import Names

WAIT_SECONDS = 120


def graph(first: int, last: int, score: float) -> Graph:
    """A collection of these documents, with a picture each."""
    documents = {f"{number}.md": 3 for number in range(first, last)}
    numbers = range(first, last)
    tables = tables_of(
        COLLECTION,
        documents=documents,
        images=tuple(f"picture {number}" for number in numbers),
        references=tuple((f"{number}.md", 0, f"picture {number}") for number in numbers if number % 3),
        evidence=tuple((f"{number}.md", 1, f"picture {number}", score) for number in numbers),
        concepts=("Pump", "Valve"),
        rejected=(),
    )
    return wanted_graph(COLLECTION, tables)


@dataclass
class Histories:
    """Two graphs that a collection goes back and forth between, and what a clean run makes of each."""

    server: object
    home: Path
    frames: list[Path]
    graphs: list[Graph]
    clean: list[list[str]]
    seconds: float
    """How long a sync from one to the other takes."""
    now: int = 1

    @classmethod
    def begin(cls, server, folder: Path) -> "Histories":
        graphs = [graph(0, 120, 8.0), graph(60, 180, 6.0)]
        frames = [save(one, folder / str(number)) for number, one in enumerate(graphs)]
        clean = []
        for number, wanted in enumerate(graphs):
            server.wipe()
            with server.connect() as connection:
                sync(connection, COLLECTION, wanted, home=folder / f"clean {number}")
            clean.append(content(server))
        made = cls(server, folder / "home", frames, graphs, clean, 0.0)
        made.run(0)
        made.seconds = made.run(1)
        return made

    def run(self, to: int) -> float:
        """A run that nobody disturbs: assert what it makes of the graph; how long it took."""
        with self.server.connect() as connection:
            started = time.monotonic()
            sync(connection, COLLECTION, self.graphs[to], home=self.home, allow_mass_delete=True)
            seconds = time.monotonic() - started
        assert content(self.server) == self.clean[to]
        self.now = to
        return seconds


@pytest.fixture
def histories(graph_server, tmp_path, monkeypatch):
    graph_server.select(monkeypatch)
    return Histories.begin(graph_server, tmp_path)


def start(frames: Path, home: Path) -> subprocess.Popen:
    """A process that is ready to sync."""
    command = [sys.executable, graph_sync_process.__file__, str(frames), str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def moments(number: int, seconds: float) -> list[float]:
    """So many moments, random in equal parts of that time, in random order."""
    chance = random.Random(number)
    found = [(part + chance.random()) / number * seconds for part in range(number)]
    return chance.sample(found, number)


def kill_processes(histories: Histories, times: int) -> None:
    killed, pace = 0, 1.0
    for seconds in moments(times, histories.seconds):
        target = 1 - histories.now
        process = start(histories.frames[target], histories.home)
        go(process)
        time.sleep(seconds * pace)
        process.kill()
        if process.wait() == -9:
            killed += 1
        else:
            # Through before: the machine is less busy now than when the time was taken.
            pace *= 0.7
        histories.run(target)
    assert killed > times / 2


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_a_process_killed_at_any_moment_is_made_good_by_the_next_run(histories):
    kill_processes(histories, 10)


@pytest.mark.soak
def test_a_process_killed_at_any_of_fifty_moments_is_made_good_by_the_next_run(histories):
    kill_processes(histories, 50)


def impatient(server, retry_seconds: float):
    """A connection that waits so long for a server that is away."""
    login = server.settings
    auth = (login.neo4j_username, login.neo4j_password.get_secret_value())
    settings = {**DRIVER_SETTINGS, "max_transaction_retry_time": retry_seconds}
    return _opened(login.neo4j_uri, auth, None, Names.of({}), driver_settings=settings)


def kill_server(histories: Histories, seconds: float, *, comes_back: bool) -> None:
    """Kill the server in the middle of a sync; it comes back at once, or when the client has given up."""
    server, target, errors = histories.server, 1 - histories.now, []

    def client():
        try:
            # Three seconds: a client that gives up shall not hold up the test.
            with impatient(server, 60.0 if comes_back else 3.0) as connection:
                ready.set()
                sync(connection, COLLECTION, histories.graphs[target], home=histories.home, allow_mass_delete=True)
        except GraphError as error:
            errors.append(str(error))

    ready, thread = threading.Event(), threading.Thread(target=client)
    thread.start()
    assert ready.wait(WAIT_SECONDS)
    time.sleep(seconds)
    server.process.kill()
    if comes_back:
        server.process.start()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    if not comes_back:
        server.process.start()
    for error in errors:
        assert f"no Neo4j server answers at {server.settings.neo4j_uri}" in error
    assert not (comes_back and errors)
    histories.run(target)


@pytest.fixture
def own_histories(tmp_path, monkeypatch):
    """On a server that may be killed."""
    (tmp_path / "neo4j").mkdir()
    with own_neo4j(tmp_path / "neo4j") as server:
        server.select(monkeypatch)
        yield Histories.begin(server, tmp_path)


def test_a_server_killed_in_the_middle_of_a_sync_is_waited_for_or_named(own_histories):
    first, second = moments(2, own_histories.seconds)
    kill_server(own_histories, first, comes_back=True)
    kill_server(own_histories, second, comes_back=False)


@pytest.mark.soak
def test_a_server_killed_at_any_of_ten_moments_leaves_nothing_the_next_run_does_not_mend(own_histories):
    for number, seconds in enumerate(moments(10, own_histories.seconds)):
        kill_server(own_histories, seconds, comes_back=number % 2 == 0)


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_of_two_processes_that_sync_at_the_same_time_one_wins_and_says_so(histories):
    for _ in range(3):
        both = [start(frames, histories.home.with_name(f"home {n}")) for n, frames in enumerate(histories.frames)]
        for process in both:
            go(process)
        said = [process.communicate(timeout=WAIT_SECONDS)[0].strip() for process in both]
        won = {int(line): number for number, line in enumerate(said) if both[number].returncode == 0}
        assert won, said
        for number, line in enumerate(said):
            assert number in won.values() or "another run" in line
        assert content(histories.server) == histories.clean[won[max(won)]]


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_a_claim_of_a_killed_process_does_not_block_the_next(histories):
    process = start(histories.frames[0], histories.home)
    go(process)
    with histories.server.connect() as connection:
        claimed = "MATCH (c:Collection {id: 'test'}) RETURN c.claimed > c.generation AS open"
        while not connection.read(claimed)[0]["open"]:
            assert process.poll() is None
        process.kill()
        process.wait()
        assert connection.read(claimed)[0]["open"]
    histories.run(0)
