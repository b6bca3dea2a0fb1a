"""Sequences of syncs, edits, crashes, lost commits, lost notes and strangers: the graph equals a plain model."""

import itertools
import shutil
from collections import Counter
from pathlib import Path

import pytest
from graph_faults import Fate, Faults, ProcessKilledError, failing
from graph_world import CHUNKS, CONCEPTS, DOCUMENTS, EDGES, IMAGES, VERSIONS, Content, Found, World, as_text, content
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from kg_pipeline.graph import Connection, sync

COLLECTIONS = ("a", "b", "c")
HOMES = ("first", "second")
# More than the commits of a sync of this size, so that some faults never strike.
COMMITS = 40

versions = st.integers(0, VERSIONS - 1)
collections = st.sampled_from(COLLECTIONS)
homes = st.sampled_from(HOMES)


def numbers(values):
    return st.sampled_from(list(values))


things = st.one_of(
    st.tuples(st.just("Document"), numbers(DOCUMENTS)),
    st.tuples(st.just("Chunk"), numbers(DOCUMENTS), numbers(CHUNKS)),
    st.tuples(st.just("Image"), numbers(IMAGES)),
    st.tuples(st.just("Concept"), numbers(CONCEPTS)),
    st.tuples(st.sampled_from(EDGES), numbers(DOCUMENTS), numbers(CHUNKS), numbers(IMAGES), numbers(CONCEPTS)),
)
edits = st.dictionaries(things, st.none() | versions, min_size=1, max_size=12)
faults = st.none() | st.builds(Faults, at=st.integers(1, COMMITS), fate=st.sampled_from(Fate))

FULL = dict.fromkeys(
    (
        *(("Document", document) for document in DOCUMENTS[:2]),
        *(("Chunk", document, chunk) for document in DOCUMENTS[:2] for chunk in CHUNKS[:2]),
        *(("Image", image) for image in IMAGES[:3]),
        *(("Concept", concept) for concept in CONCEPTS),
        *((name, 0, 0, 0, 0) for name in EDGES),
        *((name, 1, 1, 1, 1) for name in EDGES),
        ("REFERENCES", 0, 0, 0, 1),
    ),
    2,
)
"""Things of a collection with some of each kind, all in their third version."""

VANDALISM = {
    "nodes deleted": "MATCH (n:Chunk|Document|Image {id: $id}) DETACH DELETE n",
    "properties changed": "MATCH (n:Chunk|Image {id: $id}) SET n.text = 'vandal'",
    "property of another type": "MATCH (n:Chunk {id: $id}) SET n.page = 'nine'",
    "relationships deleted": "MATCH ({id: $id})-[e:FROM_DOCUMENT|REFERENCES|ILLUSTRATES]-() DELETE e",
    "relationships doubled": "MATCH (a {id: $id})-[e:FROM_DOCUMENT]->(b) "
    "CREATE (a)-[f:FROM_DOCUMENT {collection: e.collection}]->(b)",
    "claimed for ever": "MATCH (c:Collection {id: 'a'}) SET c.claimed = 99, c.claimed_by = 'dead'",
}


class Syncing(RuleBasedStateMachine):
    """Collections that share images and concepts, synced into one graph from two HOMEs."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        super().__init__()
        self.connection, self.folder = connection, folder
        self.world = World()
        self.things: dict[str, dict] = {name: {} for name in COLLECTIONS}
        self.drifted: set[str] = set()
        """Collections that a vandal changed: only a full refresh notices."""
        self.fresh: dict[str, tuple[str, Content]] = {}
        """HOME and content of the last completed sync of a collection, while nothing has happened to it since."""
        self.strangers = itertools.count()

    @initialize(full=st.sets(collections))
    def begin(self, full):
        self.connection.run("MATCH (n) DETACH DELETE n")
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in sorted(full):
            self.things[name] = dict(FULL)
            self.sync(name, "first", None)

    @rule(name=collections, changes=edits)
    def edit(self, name, changes):
        for thing, version in changes.items():
            if version is None:
                self.things[name].pop(thing, None)
            else:
                self.things[name][thing] = version

    @rule(name=collections, one=numbers(DOCUMENTS), other=numbers(DOCUMENTS))
    def rename_document(self, name, one, other):
        """Everything of one document moves to another path, and so to other ids."""
        swap = {one: other, other: one}
        placed = {"Document", "Chunk", *EDGES}
        self.things[name] = {
            (kind, swap.get(rest[0], rest[0]), *rest[1:]) if kind in placed else (kind, *rest): version
            for (kind, *rest), version in self.things[name].items()
        }

    @rule(name=collections, keep=st.sets(st.sampled_from(["Image", "Concept"])))
    def empty(self, name, keep):
        self.things[name] = {thing: version for thing, version in self.things[name].items() if thing[0] in keep}

    @rule(name=collections, home=homes, fault=faults)
    def sync(self, name, home, fault):
        wanted = content(name, self.things[name])
        for key, properties in wanted.nodes.items():
            self.world.versions.setdefault(key, []).append(properties)
        at_risk = self._at_risk(name, wanted)
        connection = failing(self.connection, Faults(fault.at, fault.fate)) if fault else self.connection
        refresh = name in self.drifted
        try:
            report = sync(
                connection,
                name,
                wanted.frames(),
                home=self.folder / home,
                allow_mass_delete=True,
                read_back=refresh,
            )
        except ProcessKilledError:
            self.world.in_doubt.add(name)
            self.fresh.pop(name, None)
        else:
            if self.fresh.get(name) == (home, wanted):
                assert (report.writes, report.read_back) == (0, False)
            self.world.synced[name] = wanted
            self.world.in_doubt.discard(name)
            self.drifted.discard(name)
            self.fresh[name] = (home, wanted)
        found = Found.read(self.connection)
        self._forget_strangers(found, at_risk)
        self.world.check(found)
        for key in set(self.world.versions) - set(found.nodes):
            del self.world.versions[key]

    @rule(home=homes)
    def lose_home(self, home):
        shutil.rmtree(self.folder / home, ignore_errors=True)
        self.fresh = {name: (last, wanted) for name, (last, wanted) in self.fresh.items() if last != home}

    @rule(
        label=st.sampled_from(["Document", "Chunk", "Image", "Concept", "OrphanReport"]), owner=st.none() | st.just("z")
    )
    def stranger(self, label, owner):
        """Somebody makes nodes with our labels, some of a collection that is not ours, and a relationship."""
        keys = [(label, f"stranger {next(self.strangers)}") for _ in range(2)]
        properties = {"text": "own"} | ({"collection": owner} if owner else {})
        for kind, key in keys:
            self.connection.run(f"CREATE (n:{kind} {{id: $id}}) SET n += $p", id=key, p=properties)
            self.world.strange_nodes[kind, key] = properties
        self._relate(keys[0], "NEXT_CHUNK", keys[1], properties)

    @rule(number=numbers(IMAGES))
    def squatter(self, number):
        """Somebody has a node with the label and the id of one of our images."""
        key = ("Image", f"image-{number}")
        if not self.connection.read("MATCH (n:Image {id: $id}) RETURN n", id=key[1]):
            self.connection.run("CREATE (n:Image {id: $id, format: 'own'})", id=key[1])
            self.world.strange_nodes[key] = {"format": "own"}

    @precondition(lambda self: self.world.synced)
    @rule(data=st.data(), name=st.sampled_from(["HAS_VISUAL_EVIDENCE", "REFERENCES", "LISTS", "LIKES"]))
    def relationship_of_a_stranger(self, data, name):
        """Somebody relates nodes of ours by our own types."""
        found = Found.read(self.connection)
        ours = sorted(key for key in found.nodes if key[0] != "Collection")
        start, end = data.draw(st.sampled_from(ours)), data.draw(st.sampled_from(ours))
        self._relate(start, name, end, {"line": 1})

    @precondition(lambda self: self.world.synced)
    @rule(what=st.sampled_from(list(VANDALISM)), data=st.data())
    def vandal(self, what, data):
        """Somebody changes what is ours; the next syncs are told to look."""
        before = Found.read(self.connection)
        ours = sorted(key for key in before.nodes if key not in self.world.strange_nodes)
        _, key = data.draw(st.sampled_from(ours))
        self.connection.run(VANDALISM[what], id=key)
        self.drifted |= set(self.world.synced)
        self.world.in_doubt |= self.drifted
        self.fresh.clear()
        found = Found.read(self.connection)
        self.world.strange_edges &= found.edges

    def _relate(self, start, name, end, properties):
        self.connection.run(
            f"MATCH (a:{start[0]} {{id: $a}}), (b:{end[0]} {{id: $b}}) CREATE (a)-[e:{name}]->(b) SET e = $p",
            a=start[1],
            b=end[1],
            p=properties,
        )
        self.world.strange_edges[start, name, end, as_text(properties)] += 1

    def _at_risk(self, name, wanted):
        """Nodes that this sync may delete, and with them what strangers hung on them."""
        found = Found.read(self.connection)
        return {
            key
            for key, (_, properties) in found.nodes.items()
            if key not in wanted.nodes and (properties.get("collection") == name or name in found.holders(key))
        }

    def _forget_strangers(self, found, at_risk):
        gone = Counter(
            {edge: count for edge, count in self.world.strange_edges.items() if {edge[0], edge[2]} & at_risk}
        )
        self.world.strange_edges = (self.world.strange_edges - gone) + (gone & found.edges)


def run_machine(graph_server, folder, **how):
    graph_server.wipe()
    quiet = {"suppress_health_check": list(HealthCheck), "database": None}
    with graph_server.connect() as connection:
        run_state_machine_as_test(lambda: Syncing(connection, folder / "homes"), settings=settings(**quiet, **how))


def test_after_every_sync_the_graph_equals_the_model(graph_server, tmp_path):
    # Shrinking a failure would take minutes: what the soak variant is for.
    phases = [Phase.generate]
    run_machine(graph_server, tmp_path, max_examples=12, stateful_step_count=14, derandomize=True, phases=phases)


@pytest.mark.soak
def test_after_every_sync_of_long_histories_the_graph_equals_the_model(graph_server, tmp_path):
    run_machine(graph_server, tmp_path, max_examples=400, stateful_step_count=40)


def share_and_let_go(machine):
    machine.begin({"a", "b"})
    machine.empty("a", set())
    machine.sync("a", "first", None)
    machine.empty("b", {"Image"})
    machine.sync("b", "first", None)


def take_turns_in_two_homes(machine):
    machine.begin({"a"})
    machine.edit("a", {("Chunk", 0, 0): None, ("Image", 3): 1})
    machine.sync("a", "second", None)
    machine.edit("a", {("Chunk", 0, 0): 2, ("Image", 3): None})
    machine.sync("a", "first", None)


def find_a_stranger_with_our_id(machine):
    machine.begin(set())
    machine.squatter(0)
    machine.edit("a", FULL)
    machine.sync("a", "first", None)
    machine.empty("a", set())
    machine.sync("a", "first", None)


def lose_every_third_answer(machine):
    machine.begin(set())
    for at in range(1, 22, 3):
        machine.edit("a", FULL if at % 2 else dict.fromkeys(FULL, 1))
        machine.sync("a", "first", Faults(at, Fate.LOST_AFTER))
        machine.empty("a", {"Document", "Image"})
        machine.sync("a", "second", Faults(at, Fate.KILLED_AFTER))


@pytest.mark.parametrize(
    "history", [share_and_let_go, take_turns_in_two_homes, find_a_stranger_with_our_id, lose_every_third_answer]
)
def test_after_every_sync_of_a_told_history_the_graph_equals_the_model(graph_server, tmp_path, history):
    graph_server.wipe()
    with graph_server.connect() as connection:
        history(Syncing(connection, tmp_path / "homes"))
