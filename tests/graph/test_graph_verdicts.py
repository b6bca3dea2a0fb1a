from datetime import UTC, datetime, timedelta

import pytest
from graph_tables import concept_id, image_id, passage, passage_id, tables_of

from kg_pipeline.graph import harvest, harvest_verdicts, sync, wanted_graph
from kg_pipeline.ids import document_id, sha256_text


@pytest.fixture
def connection(graph_server, tmp_path):
    graph_server.wipe()
    with graph_server.connect() as connection:
        sync(connection, "test", wanted_graph("test", tables_of()), home=tmp_path)
        yield connection


def judge(connection, pattern, verdict, **values):
    connection.run(f"MATCH {pattern} SET e.verdict = $verdict, e.verdict_by = $by", verdict=verdict, **values)


def test_a_verdict_on_a_passage_is_harvested_and_becomes_a_rejection(connection, tmp_path):
    pattern = "(:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $image})"
    judge(connection, pattern, " Rejected ", by="Ann", image=image_id("valve"))
    known = tables_of()["verdicts"]
    [row] = harvest(connection, "test").to_dicts()
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
    tables["verdicts"] = harvest_verdicts(connection, "test", known)
    assert tables["verdicts"].height == known.height + 1
    sync(connection, "test", wanted_graph("test", tables), home=tmp_path)
    found = connection.read("MATCH (c)-[e:REJECTED_EVIDENCE]->(i:Image) RETURN c.id AS c, e.by AS by ORDER BY by")
    assert found == [
        {"c": passage_id("test", "a.md", 1), "by": "Ann"},
        {"c": passage_id("test", "b.md", 0), "by": "Zoë"},
    ]
    assert harvest_verdicts(connection, "test", tables["verdicts"]).equals(tables["verdicts"])


def test_a_verdict_on_a_document_holds_for_its_best_passage(connection):
    judge(
        connection,
        "(:Document)-[e:HAS_VISUAL_EVIDENCE]->(:Image {id: $image})",
        "accepted",
        by=None,
        image=image_id("pump"),
    )
    [row] = harvest(connection, "test").to_dicts()
    assert (row["text_kind"], row["text_sha256"], row["by"]) == ("chunk", sha256_text(passage("a.md", 0)), "graph")


def test_a_verdict_on_a_concept_is_bound_to_its_text(connection, tmp_path):
    judge(connection, "(:Image)-[e:ILLUSTRATES]->(:Concept)", "rejected", by="Ann")
    found = harvest(connection, "test")
    assert found.select("text_kind", "document_id").rows() == [("concept", concept_id("Pump"))]
    tables = tables_of() | {"verdicts": found}
    tables["visual_evidence"] = tables["visual_evidence"].filter(text_kind="chunk")
    sync(connection, "test", wanted_graph("test", tables), home=tmp_path)
    assert connection.read("MATCH (c:Concept)-[e:REJECTED_EVIDENCE]->(:Image) RETURN e.by AS by") == [{"by": "Ann"}]


def test_what_we_wrote_ourselves_is_not_harvested(connection, tmp_path):
    wanted = wanted_graph("test", tables_of(accepted=(("a.md", 0, "pump"),)))
    sync(connection, "test", wanted, home=tmp_path)
    assert connection.read("MATCH ()-[e {verdict: 'accepted'}]->() RETURN count(e) AS n") == [{"n": 1}]
    assert harvest(connection, "test").is_empty()


def test_other_words_and_other_collections_are_left_out(connection, caplog):
    judge(connection, "(:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image)", "maybe", by=None)
    assert harvest(connection, "test").is_empty()
    assert "maybe" in caplog.text
    judge(connection, "(:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(:Image)", "accepted", by=None)
    assert harvest(connection, "other").is_empty()
