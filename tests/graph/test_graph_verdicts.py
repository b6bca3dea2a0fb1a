from datetime import UTC, datetime, timedelta

import pytest
from graph_tables import AT, concept_id, image_id, passage, passage_id, tables_of

from kg_pipeline.graph import harvest, read_graph, sync, take_over_verdicts, wanted_graph
from kg_pipeline.ids import document_id, sha256_text
from kg_pipeline.storage import TableStore

ON_PASSAGE = "(:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $image})"
ON_DOCUMENT = "(:Document)-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $image})"
ON_CONCEPT = "(:Image)-[e:ILLUSTRATES]->(:Concept)"
REJECTION = "(:Chunk)-[e:REJECTED_EVIDENCE]->(:Image)"


@pytest.fixture
def connection(graph_server, tmp_path):
    graph_server.wipe()
    with graph_server.connect() as connection:
        sync(connection, "test", wanted_graph("test", tables_of()), home=tmp_path)
        yield connection


@pytest.fixture
def store(tmp_path):
    store = TableStore(tmp_path)
    store.write("verdicts", "test", tables_of()["verdicts"])
    return store


def judge(connection, pattern, verdict, **values):
    connection.run(f"MATCH {pattern} SET e.verdict = $verdict, e.verdict_by = $by", verdict=verdict, **values)


def said(store):
    columns = ["image_id", "document_id", "text_sha256", "verdict", "by"]
    return {row[:3]: row[3:] for row in store.read("verdicts", "test").select(columns).rows()}


def pair(document, number, image):
    return image_id(image), document_id("test", document), sha256_text(passage(document, number))


def test_a_verdict_on_a_passage_is_taken_over_and_becomes_a_rejection(connection, store, tmp_path):
    judge(connection, ON_PASSAGE, " Rejected ", by="Ann", image=image_id("valve"))
    [row] = harvest(connection, "test").rows.to_dicts()
    assert datetime.now(UTC) - row.pop("at") < timedelta(minutes=5)
    assert row == {
        "image_id": image_id("valve"),
        "text_kind": "chunk",
        "document_id": document_id("test", "a.md"),
        "text_sha256": sha256_text(passage("a.md", 1)),
        "verdict": "rejected",
        "by": "Ann",
    }
    tables = tables_of(evidence=(("a.md", 0, "pump", 9.0),))
    tables["verdicts"] = take_over_verdicts(connection, "test", store)
    assert tables["verdicts"].height == 2
    sync(connection, "test", wanted_graph("test", tables), home=tmp_path)
    found = connection.read("MATCH (c)-[e:REJECTED_EVIDENCE]->(i:Image) RETURN c.id AS c, e.by AS by ORDER BY by")
    assert found == [
        {"c": passage_id("test", "a.md", 1), "by": "Ann"},
        {"c": passage_id("test", "b.md", 0), "by": "Zoë"},
    ]
    assert take_over_verdicts(connection, "test", store).equals(tables["verdicts"])


def test_a_verdict_on_a_document_holds_for_its_best_passage(connection):
    judge(connection, ON_DOCUMENT, "accepted", by=None, image=image_id("pump"))
    [row] = harvest(connection, "test").rows.to_dicts()
    assert (row["text_kind"], row["text_sha256"], row["by"]) == ("chunk", sha256_text(passage("a.md", 0)), "graph")


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_a_verdict_on_a_concept_is_bound_to_its_text(connection, store, tmp_path, verdict):
    judge(connection, ON_CONCEPT, verdict, by="Ann")
    verdicts = take_over_verdicts(connection, "test", store).filter(text_kind="concept")
    assert verdicts.select("document_id", "verdict", "by").rows() == [(concept_id("Pump"), verdict, "Ann")]
    sync(connection, "test", wanted_graph("test", tables_of() | {"verdicts": verdicts}), home=tmp_path)
    rejections = connection.read("MATCH (c:Concept)-[e:REJECTED_EVIDENCE]->(:Image) RETURN e.by AS by")
    edges = connection.read(f"MATCH {ON_CONCEPT} RETURN e.verdict AS verdict")
    assert (rejections, edges) == (([{"by": "Ann"}], []) if verdict == "rejected" else ([], [{"verdict": "accepted"}]))


def test_a_verdict_is_taken_over_once_and_the_graph_is_as_it_was_synced(connection, store):
    for pattern in (ON_PASSAGE, ON_DOCUMENT):
        judge(connection, pattern, "accepted", by="Ann", image=image_id("pump"))
    judge(connection, ON_CONCEPT, "rejected", by="Ann")
    judge(connection, REJECTION, "accepted", by="Ann")
    take_over_verdicts(connection, "test", store)
    assert read_graph(connection, "test", ()).equals(wanted_graph("test", tables_of()))
    assert connection.read("MATCH ()-[e]->() WHERE e.verdict_by IS NOT NULL RETURN e") == []
    # What is said afterwards on the command line is not outdone by the mark of before.
    store.update("verdicts", "test", lambda verdicts: verdicts.clear())
    assert take_over_verdicts(connection, "test", store).is_empty()


def test_a_rejection_is_turned_over_or_withdrawn_by_a_property_not_by_its_absence(connection, store):
    connection.run(f"MATCH {REJECTION} DELETE e")
    take_over_verdicts(connection, "test", store)
    assert said(store) == {pair("b.md", 0, "logo"): ("rejected", "Zoë")}


@pytest.mark.parametrize(("word", "left"), [("accepted", [("accepted", "Ann")]), ("withdrawn", [])])
def test_a_property_on_a_rejection_turns_it_over_or_withdraws_it(connection, store, word, left):
    judge(connection, REJECTION, word, by="Ann")
    take_over_verdicts(connection, "test", store)
    assert list(said(store).values()) == left


@pytest.mark.parametrize("change", ["SET e.verdict = 'withdrawn'", "REMOVE e.verdict"])
def test_an_accepted_edge_is_left_to_its_score_again_by_hand(connection, store, tmp_path, change):
    tables = tables_of(accepted=(("a.md", 0, "pump"),))
    store.write("verdicts", "test", tables["verdicts"])
    sync(connection, "test", wanted_graph("test", tables), home=tmp_path)
    connection.run(f"MATCH {ON_PASSAGE} {change}", image=image_id("pump"))
    tables["verdicts"] = take_over_verdicts(connection, "test", store)
    assert said(store) == {pair("b.md", 0, "logo"): ("rejected", "Zoë")}
    sync(connection, "test", wanted_graph("test", tables), home=tmp_path)
    assert connection.read(f"MATCH {ON_PASSAGE} RETURN e.verdict AS v", image=image_id("pump")) == [{"v": None}]
    assert read_graph(connection, "test", ()).equals(wanted_graph("test", tables))


@pytest.mark.parametrize(("minutes", "wins"), [(-5, "rejected"), (5, "accepted"), (60 * 24 * 365 * 900, "accepted")])
def test_of_two_verdicts_the_newer_counts(connection, store, minutes, wins):
    tables = tables_of(evidence=(("b.md", 0, "logo", 9.0),), rejected=())
    given = store.read("verdicts", "test")
    sync(connection, "test", wanted_graph("test", tables), home=store.home)
    connection.run(
        "MATCH (:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $image}) SET e.verdict = 'accepted', e.verdict_at = $at",
        image=image_id("logo"),
        at=AT + timedelta(minutes=minutes),
    )
    rows = take_over_verdicts(connection, "test", store)
    assert rows["verdict"].to_list() == [wins]
    assert rows["at"].max() <= datetime.now(UTC)
    assert wins != "rejected" or rows.equals(given)


def test_a_verdict_without_a_time_counts_as_given_when_it_is_found(connection, store):
    tables = tables_of(evidence=(("b.md", 0, "logo", 9.0),), rejected=())
    sync(connection, "test", wanted_graph("test", tables), home=store.home)
    judge(connection, ON_PASSAGE, "accepted", by="Ann", image=image_id("logo"))
    take_over_verdicts(connection, "test", store)
    assert said(store) == {pair("b.md", 0, "logo"): ("accepted", "Ann")}


def test_what_we_wrote_ourselves_is_not_harvested(connection, tmp_path):
    wanted = wanted_graph("test", tables_of(accepted=(("a.md", 0, "pump"),)))
    sync(connection, "test", wanted, home=tmp_path)
    assert connection.read("MATCH ()-[e {verdict: 'accepted'}]->() RETURN count(e) AS n") == [{"n": 1}]
    assert harvest(connection, "test").rows.is_empty()


def test_other_words_and_other_collections_are_left_out(connection, caplog):
    judge(connection, "(:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image)", "maybe", by=None)
    assert harvest(connection, "test").rows.is_empty()
    assert "maybe" in caplog.text
    judge(connection, "(:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image)", "accepted", by=None)
    assert harvest(connection, "other").rows.is_empty()


def test_a_rejection_given_after_the_evidence_was_judged_takes_the_edge_out():
    tables = tables_of(rejected=(("a.md", 0, "pump"),))
    wanted = wanted_graph("test", tables)
    assert wanted.edges["HAS_VISUAL_EVIDENCE"].filter(end=image_id("pump")).is_empty()
    assert wanted.edges["REJECTED_EVIDENCE"]["end"].to_list() == [image_id("pump")]
    report = wanted.nodes["OrphanReport"].select(r"^verdicts_.*$").row(0, named=True)
    assert report == {"verdicts_accepted": 0, "verdicts_rejected": 1, "verdicts_not_applicable": 0}
