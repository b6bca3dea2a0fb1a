import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from graph_tables import AT, NASTY, concept_id, image_id, passage, passage_id, tables_of

from kg_pipeline.graph import (
    DriftError,
    GraphError,
    SupersededError,
    count_graph,
    jobs,
    read_graph,
    sync,
    syncing,
    wanted_graph,
)
from kg_pipeline.graph import apply as applying
from kg_pipeline.graph.apply import claim, complete, read_head
from kg_pipeline.ids import document_id
from kg_pipeline.tables import TABLES


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def assert_holds(connection, collection, wanted):
    found = read_graph(connection, collection, ())
    for name, frame in wanted.parts():
        assert dict(found.parts())[name].to_dicts() == frame.to_dicts(), name
    assert count_graph(connection, collection) == {**wanted.counts(), "Collection": 1}


def everything(connection):
    """All of the graph but what may differ: times, generations."""
    ignored = {"first_seen", "generation", "claimed", "claimed_by", "completed_at", "generated_at", "input_hash", "own"}

    def kept(properties):
        return {key: value for key, value in properties.items() if key not in ignored}

    nodes = connection.read("MATCH (n) RETURN labels(n) AS labels, properties(n) AS p")
    edges = connection.read(
        "MATCH (a)-[e]->(b) RETURN labels(a) AS a, a.id AS start, type(e) AS type, properties(e) AS p, b.id AS end"
    )
    rows = [{**row, "p": kept(row["p"])} for row in (*nodes, *edges)]
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)


def test_a_first_sync_makes_the_graph_and_a_second_writes_nothing(connection, home):
    wanted = wanted_graph("test", tables_of())
    first = sync(connection, "test", wanted, home=home)
    assert (first.generation, first.writes, first.unchanged) == (1, wanted.size, 0)
    assert_holds(connection, "test", wanted)
    second = sync(connection, "test", wanted, home=home)
    assert (second.generation, second.writes, second.unchanged, second.read_back) == (1, 0, wanted.size, False)


def test_values_arrive_as_they_are(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    [chunk] = connection.read(
        "MATCH (c:Chunk {id: $id}) RETURN c.text AS t, c.heading AS h", id=passage_id("test", "a.md", 1)
    )
    assert chunk == {"t": passage("a.md", 1), "h": "Guide > Part 1"}
    [edge] = connection.read(
        "MATCH (:Document)-[e:HAS_VISUAL_EVIDENCE]->(i:Image {id: $id}) RETURN properties(e) AS e", id=image_id("pump")
    )
    assert edge["e"]["best_chunk"] == passage_id("test", "a.md", 0)
    assert edge["e"]["strategies"] == ["lexical", "proximity"]
    assert NASTY in edge["e"]["reason"]
    [rejected] = connection.read("MATCH (:Chunk)-[e:REJECTED_EVIDENCE]->(:Image) RETURN e.by AS by, e.at AS at")
    assert (rejected["by"], rejected["at"].to_native()) == ("Zoë", AT)
    [concept] = connection.read("MATCH (c:Concept) RETURN labels(c) AS labels, c.aliases AS aliases")
    assert set(concept["labels"]) == {"Concept", "__Entity__"}
    [report] = connection.read(
        "MATCH (r:OrphanReport)-[l:LISTS]->(i:Image) RETURN r.counts AS counts, i.id AS image, l.suggestion AS s"
    )
    assert json.loads(report["counts"]) == {"unreferenced_matched": 1}
    assert (report["image"], report["s"]) == (image_id("valve"), "some passage")
    [held] = connection.read(
        "MATCH (:Image {id: $id})-[e:IN_COLLECTION]->(:Collection) RETURN properties(e) AS e", id=image_id("valve")
    )
    assert (held["e"]["paths"], held["e"]["orphan_reason"]) == (["img/valve.png"], "unreferenced_matched")


def test_one_changed_row_is_the_only_one_written(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    first_seen = (
        "MATCH ()-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $id}) RETURN e.first_seen AS t, e.generation AS g ORDER BY g"
    )
    before = connection.read(first_seen, id=image_id("valve"))
    changed = wanted_graph("test", tables_of(evidence=(("a.md", 0, "pump", 9.0), ("a.md", 1, "valve", 8.5))))
    report = sync(connection, "test", changed, home=home)
    assert report.upserted == {"HAS_VISUAL_EVIDENCE": 2}
    assert report.deleted == {}
    assert_holds(connection, "test", changed)
    after = connection.read(first_seen, id=image_id("valve"))
    assert [row["t"] for row in after] == [row["t"] for row in before]
    assert {row["g"] for row in after} == {2}


def test_what_is_no_longer_wanted_goes(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    smaller = wanted_graph(
        "test",
        tables_of(
            documents={"a.md": 2}, images=("pump", "valve"), references=(("a.md", 0, "pump"),), rejected=(), concepts=()
        ),
    )
    report = sync(connection, "test", smaller, home=home)
    assert report.deleted["Document"] == 1
    assert_holds(connection, "test", smaller)
    assert connection.read("MATCH (n:Image) RETURN count(n) AS n") == [{"n": 2}]
    assert connection.read("MATCH (n:Concept) RETURN count(n) AS n") == [{"n": 0}]


def test_a_mass_delete_is_refused_before_anything_is_written(connection, home):
    many = wanted_graph("test", tables_of(images=tuple(f"image{n}" for n in range(50))))
    sync(connection, "test", many, home=home)
    few = wanted_graph("test", tables_of())
    with pytest.raises(GraphError, match=r"50 of 50 Image.*--allow-mass-delete"):
        sync(connection, "test", few, home=home)
    assert_holds(connection, "test", many)
    sync(connection, "test", few, home=home, allow_mass_delete=True)
    assert_holds(connection, "test", few)


def test_blocked_deletes_are_made_up_for_later(connection, home):
    before = wanted_graph("test", tables_of())
    sync(connection, "test", before, home=home)
    after = wanted_graph(
        "test", tables_of(images=("pump", "valve", "new"), references=(("a.md", 0, "pump"),), rejected=())
    )
    report = sync(connection, "test", after, home=home, deletes_blocked="could not be listed: img")
    assert report.deletes_blocked == "could not be listed: img"
    assert report.deleted == {}
    assert report.left_standing["Image"] == 1
    assert connection.read("MATCH (n:Image) RETURN count(n) AS n") == [{"n": 4}]
    again = sync(connection, "test", after, home=home, deletes_blocked="could not be listed: img")
    assert again.writes == 0
    assert sync(connection, "test", after, home=home).deleted["Image"] == 1
    assert_holds(connection, "test", after)


def test_two_collections_share_images_and_concepts_until_the_last_lets_go(connection, home):
    first, second = (wanted_graph(name, tables_of(name)) for name in ("first", "second"))
    sync(connection, "first", first, home=home)
    sync(connection, "second", second, home=home)
    assert connection.read("MATCH (n:Image) RETURN count(n) AS n") == [{"n": 3}]
    nothing = wanted_graph("first", {})
    sync(connection, "first", nothing, home=home, allow_mass_delete=True)
    assert_holds(connection, "first", nothing)
    assert_holds(connection, "second", second)
    sync(connection, "second", wanted_graph("second", {}), home=home, allow_mass_delete=True)
    assert connection.read("MATCH (n:Image|Concept) RETURN count(n) AS n") == [{"n": 0}]


def test_foreign_nodes_with_our_labels_stay_as_they_are(connection, home):
    shared = image_id("pump")
    connection.run(
        "CREATE (:Image {id: 'mine', format: 'own'})-[:NEXT_CHUNK {line: 1}]->(:Chunk {id: 'mine', text: 'own'}), "
        "(:Document {id: 'mine'}), (:Concept {id: 'mine', name: 'own'}), (:Image {id: $id, format: 'own'})",
        id=shared,
    )
    foreign = set(everything(connection))
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    assert foreign <= set(everything(connection))
    [hold] = wanted.edges["IN_COLLECTION"].filter(start=shared).select("uri", "paths").to_dicts()
    held = "MATCH (:Image {id: $id})-[e:IN_COLLECTION]->() RETURN e.uri AS uri, e.paths AS paths"
    assert connection.read(held, id=shared) == [hold]
    assert connection.read("MATCH (:Chunk)-[:REFERENCES]->(i:Image {id: $id}) RETURN count(*) AS n", id=shared) == [
        {"n": 2}
    ]
    sync(connection, "test", wanted_graph("test", {}), home=home, full_refresh=True, allow_mass_delete=True)
    assert foreign <= set(everything(connection))


def test_concepts_that_are_foreign_nodes_get_relationships_only(connection, home):
    connection.run(
        "CREATE (:Product {sku: 17, name: 'own'}), (:Product {sku: 'b-1'}), "
        "(:Product {sku: 'twice'}), (:Product {sku: 'twice'})"
    )
    tables = tables_of(concepts=())
    keys = ("17", "b-1", "twice", "none")
    tables["concepts"] = TABLES["concepts"].rows(
        [
            {"concept_id": key, "name": key, "aliases": [], "source": "graph", "node_label": "Product",
             "key_property": "sku", "key_value": key, "owned": False}
            for key in keys
        ]
    )  # fmt: skip
    tables["concept_mentions"] = TABLES["concept_mentions"].rows(
        [{"concept_id": key, "chunk_id": passage_id("test", "a.md", 0), "alias": key} for key in keys]
    )
    wanted = wanted_graph("test", tables)
    report = sync(connection, "test", wanted, home=home)
    assert report.foreign_missing == 2
    mentioned = "MATCH (p:Product)-[:FROM_CHUNK]->(:Chunk) RETURN toString(p.sku) AS sku ORDER BY sku"
    assert connection.read(mentioned) == [{"sku": "17"}, {"sku": "b-1"}]
    assert connection.read("MATCH (p:Product {name: 'own'}) RETURN properties(p) AS p") == [
        {"p": {"sku": 17, "name": "own"}}
    ]
    assert sync(connection, "test", wanted, home=home).writes == 0
    assert sync(connection, "test", wanted, home=home, read_back=True).writes == 0
    sync(connection, "test", wanted_graph("test", tables_of(concepts=())), home=home)
    assert connection.read(mentioned) == []
    assert connection.read("MATCH (p:Product) RETURN count(p) AS n") == [{"n": 4}]


def test_a_foreign_label_that_is_not_configured_any_more_loses_our_relationships(connection, home, tmp_path):
    connection.run("CREATE (:Product {sku: 'a'})")
    tables = tables_of(concepts=())
    foreign = {
        "concept_id": "a",
        "name": "a",
        "aliases": [],
        "source": "graph",
        "node_label": "Product",
        "owned": False,
    }
    tables["concepts"] = TABLES["concepts"].rows([foreign | {"key_property": "sku", "key_value": "a"}])
    sync(connection, "test", wanted_graph("test", tables), home=home)
    connection.run("MATCH (c:Collection) REMOVE c.foreign_ends")
    plain = wanted_graph("test", tables_of(concepts=()))
    sync(connection, "test", plain, home=tmp_path / "another home")
    assert_holds(connection, "test", plain)


def test_a_late_run_of_an_older_generation_is_refused(connection, home):
    wanted = wanted_graph("test", tables_of())
    report = sync(connection, "test", wanted, home=home)
    head = read_head(connection, "test")
    late = claim(connection, "test", head, AT, ())
    sync(connection, "test", wanted, home=home)
    assert read_head(connection, "test").generation == report.generation + 2
    with pytest.raises(SupersededError, match="another run"):
        complete(late, "hash", ())
    with pytest.raises(SupersededError):
        claim(connection, "test", head, AT, ())
    assert_holds(connection, "test", wanted)


def test_of_two_runs_that_start_from_the_same_state_one_writes(connection, home):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    head = read_head(connection, "test")
    first = claim(connection, "test", head, AT, ())
    with pytest.raises(SupersededError, match="another run"):
        claim(connection, "test", head, AT, ())
    assert complete(first, wanted.fingerprint(), ()).clean


def test_a_collection_that_vanished_since_it_was_looked_at_is_not_claimed(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    head = read_head(connection, "test")
    connection.run("MATCH (n) DETACH DELETE n")
    with pytest.raises(SupersededError, match="vanished"):
        claim(connection, "test", head, AT, ())
    assert connection.read("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]


def test_a_batch_the_server_has_no_memory_for_is_halved(graph_server, connection, home, monkeypatch):
    if graph_server.kind == "embedded":
        pytest.skip("ArcadeDB has no limit on the memory of a transaction")
    tables = tables_of(documents={"a.md": 30})
    tables["chunks"] = tables["chunks"].with_columns(text=pl.col("text") + "x" * 250_000)
    wanted = wanted_graph("test", tables)
    send, sizes = applying._send, []

    def counted(claim, job, batch, again=False):
        sizes.append(batch.height)
        return send(claim, job, batch, again)

    monkeypatch.setattr(applying, "_send", counted)
    sync(connection, "test", wanted, home=home)
    assert {30, 15} <= set(sizes)
    assert_holds(connection, "test", wanted)


@pytest.mark.parametrize(
    "step",
    [
        (jobs, "by_ends"),
        (applying, "verify_counts"),
        (applying, "_delete"),
        (syncing, "complete"),
        (syncing.SyncedState, "point"),
    ],
    ids=["before edges", "before counting", "before deletes", "before completing", "before the note"],
)
def test_a_run_killed_anywhere_leaves_nothing_behind_that_the_next_does_not_mend(connection, home, monkeypatch, step):
    def killed(*_):
        raise KeyboardInterrupt

    old = wanted_graph("test", tables_of(images=("old",), references=(), evidence=(), rejected=()))
    sync(connection, "test", old, home=home)
    with monkeypatch.context() as patch:
        patch.setattr(*step, killed)
        with pytest.raises(KeyboardInterrupt):
            more = wanted_graph("test", tables_of(images=("pump", "valve", "logo", "gone")))
            sync(connection, "test", more, home=home)
    assert connection.read("MATCH (n:Image {id: $id}) RETURN count(n) AS n", id=image_id("gone")) == [{"n": 1}]
    wanted = wanted_graph("test", tables_of())
    assert sync(connection, "test", wanted, home=home).read_back
    assert_holds(connection, "test", wanted)
    mended = everything(connection)
    connection.run("MATCH (n) DETACH DELETE n")
    sync(connection, "test", wanted, home=home)
    assert everything(connection) == mended


def test_collections_that_share_images_can_be_written_at_the_same_time(graph_server, connection, home):
    images = tuple(f"image{n}" for n in range(300))
    references = tuple(("a.md", 0, image) for image in images)

    def write(name):
        wanted = wanted_graph(name, tables_of(name, images=images, references=references))
        with graph_server.connect() as own:
            sync(own, name, wanted, home=home)
        return wanted

    names = [f"collection{n}" for n in range(3)]
    with ThreadPoolExecutor() as threads:
        graphs = list(threads.map(write, names))
    for name, wanted in zip(names, graphs, strict=True):
        assert_holds(connection, name, wanted)
    assert connection.read("MATCH (n:Image) RETURN count(n) AS n") == [{"n": 300}]


@pytest.mark.parametrize(
    "damage",
    [
        "MATCH (n) DETACH DELETE n",
        "MATCH (c:Collection) SET c.generation = 7, c.claimed = 7 WITH c MATCH (n:Chunk) DETACH DELETE n",
        "MATCH (c:Collection) SET c.claimed = 9 WITH c MATCH ()-[e:REFERENCES]->() SET e.alt = 5",
    ],
)
def test_a_graph_changed_behind_our_back_is_read_back_and_repaired(connection, home, damage):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    connection.run(damage)
    report = sync(connection, "test", wanted, home=home)
    assert report.read_back
    assert report.writes < wanted.size or "(n) DETACH" in damage
    assert_holds(connection, "test", wanted)


def test_rows_deleted_by_hand_are_noticed_when_their_kind_is_written(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    connection.run("MATCH (i:Image {id: $id}) DETACH DELETE i", id=image_id("logo"))
    wanted = wanted_graph("test", tables_of(images=("pump", "valve", "logo", "new")))
    assert sync(connection, "test", wanted, home=home).read_back
    assert_holds(connection, "test", wanted)


def test_reading_back_repairs_what_was_changed_by_hand(connection, home):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    connection.run("MATCH (c:Chunk) SET c.text = 'vandal'")
    connection.run("MATCH (c:Chunk)-[e:FROM_DOCUMENT]->(d) CREATE (c)-[:FROM_DOCUMENT {collection: 'test'}]->(d)")
    report = sync(connection, "test", wanted, home=home, read_back=True)
    assert report.upserted == {"Chunk": 3}
    assert_holds(connection, "test", wanted)


def test_a_full_refresh_writes_every_row_and_deletes_what_is_not_wanted(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of(documents={"a.md": 2, "b.md": 1, "c.md": 1})), home=home)
    connection.run("MATCH (c:Chunk) SET c.text = 'vandal'")
    wanted = wanted_graph("test", tables_of())
    report = sync(connection, "test", wanted, home=home, full_refresh=True)
    assert report.upserted == {name: rows for name, rows in wanted.counts().items() if rows}
    assert (report.deleted["Document"], report.unchanged, report.read_back) == (1, 0, True)
    assert_holds(connection, "test", wanted)
    stale = "MATCH (n) WHERE n.collection = 'test' AND n.generation <> 2 RETURN count(n) AS n"
    assert connection.read(stale) == [{"n": 0}]
    assert sync(connection, "test", wanted, home=home).writes == 0


def test_a_rejected_pair_loses_its_edge_also_while_nothing_may_be_deleted(connection, home):
    sync(connection, "test", wanted_graph("test", tables_of()), home=home)
    wanted = wanted_graph("test", tables_of(rejected=(("a.md", 1, "valve"),), documents={"a.md": 2}))
    report = sync(connection, "test", wanted, home=home, deletes_blocked="a folder is away")
    assert report.deleted == {"HAS_VISUAL_EVIDENCE": 1}
    assert report.left_standing["Document"] == 1
    pair = "MATCH (:Chunk)-[e]->(:Image {id: $id}) RETURN type(e) AS type"
    assert connection.read(pair, id=image_id("valve")) == [{"type": "REJECTED_EVIDENCE"}]


def test_a_second_home_reads_the_graph_back_and_writes_nothing(connection, home, tmp_path):
    wanted = wanted_graph("test", tables_of())
    sync(connection, "test", wanted, home=home)
    report = sync(connection, "test", wanted, home=tmp_path / "other")
    assert (report.read_back, report.writes) == (True, 0)
    assert not sync(connection, "test", wanted, home=tmp_path / "other").read_back


def test_a_hub_image_gets_all_its_relationships(connection, home):
    documents = {f"{n}.md": 1 for n in range(600)}
    references = tuple((name, 0, "logo") for name in documents)
    wanted = wanted_graph("test", tables_of(documents=documents, references=references, evidence=(), rejected=()))
    sync(connection, "test", wanted, home=home)
    assert_holds(connection, "test", wanted)
    fewer = {f"{n}.md": 1 for n in range(400)}
    wanted = wanted_graph("test", tables_of(documents=fewer, references=references[:400], evidence=(), rejected=()))
    sync(connection, "test", wanted, home=home)
    assert_holds(connection, "test", wanted)


def test_a_collection_node_of_somebody_else_is_not_taken_over(connection, home):
    connection.run("CREATE (:Collection {id: 'test', name: 'own'})")
    with pytest.raises(GraphError, match="did not make"):
        sync(connection, "test", wanted_graph("test", tables_of()), home=home)


def test_a_second_writer_is_reported_when_counts_stay_wrong(connection, home, monkeypatch):
    monkeypatch.setattr(syncing, "apply", lambda *_: (_ for _ in ()).throw(DriftError("somebody else")))
    with pytest.raises(DriftError, match="somebody else"):
        sync(connection, "test", wanted_graph("test", tables_of()), home=home)


def test_empty_lists_and_nulls_survive(connection, home):
    tables = tables_of()
    tables["concepts"] = tables["concepts"].with_columns(description=pl.lit(None, pl.String))
    wanted = wanted_graph("test", tables)
    sync(connection, "test", wanted, home=home)
    assert_holds(connection, "test", wanted)
    assert wanted.nodes["Concept"].row(0, named=True) == {
        "id": concept_id("Pump"),
        "name": "Pump",
        "aliases": [],
        "description": None,
    }
    assert document_id("test", "a.md") in wanted.nodes["Document"]["id"]
