"""Two runs on one collection at the same time: one wins, the other refuses, and the graph is the winner's."""

import shutil

import pytest
from graph_turns import Turns, in_turns, taking_turns
from graph_world import Content, Found, World, content
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from kg_pipeline.graph import SupersededError, sync

BEFORE = {("Document", 0): 1, ("Chunk", 0, 0): 1, ("Image", 0): 1, ("REFERENCES", 0, 0, 0, 0): 1}
ONE = {**BEFORE, ("Chunk", 0, 1): 2, ("Image", 1): 2, ("BEST", 0, 0, 0, 0): 2, ("REJECTED_EVIDENCE", 0, 0, 0, 0): 2}
OTHER = {**BEFORE, ("Chunk", 0, 0): 3, ("Image", 2): 3, ("LISTS", 0, 0, 2, 0): 3}

quiet = settings(database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


def wanted(things) -> Content:
    return content("a", things)


def two_runs(connection, folder, order, *, is_new):
    """Sync ONE and OTHER at the same time; assert that the graph is that of a run that came through."""
    connection.run("MATCH (n) DETACH DELETE n")
    shutil.rmtree(folder, ignore_errors=True)
    if not is_new:
        sync(connection, "a", wanted(BEFORE).frames(), home=folder / "0")
    turns = Turns(order)

    def run(number, things):
        own = taking_turns(connection, turns, number)
        return lambda: sync(own, "a", wanted(things).frames(), home=folder / str(number), allow_mass_delete=True)

    results = in_turns(turns, run(0, ONE), run(1, OTHER))
    generations = {}
    for result, things in zip(results, (ONE, OTHER), strict=True):
        if isinstance(result, Exception):
            assert isinstance(result, SupersededError), result
            assert "another run" in str(result)
        else:
            generations[result.generation] = wanted(things)
    assert generations, results
    last = generations[max(generations)]
    World(synced={"a": last}, versions={key: [p] for key, p in last.nodes.items()}).check(Found.read(connection))
    return results


# Stretches of turns: a run reads some thirty times before it claims, and commits some twenty times after.
stretches = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 40)), max_size=8)


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "known"])
@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_the_graph_is_that_of_the_run_that_came_through(connection, tmp_path, is_new):
    @settings(quiet, max_examples=12, derandomize=True, phases=[Phase.explicit, Phase.generate])
    @given(stretches)
    # The second reads the graph back while the first writes, and claims when it has read.
    @example([(0, 38), (1, 30), (0, 10), (1, 100)])
    @example([(0, 12), (1, 30), (0, 10), (1, 100)])
    def check(stretches):
        order = [runner for runner, turns in stretches for _ in range(turns)]
        two_runs(connection, tmp_path / "homes", order, is_new=is_new)

    check()
