import polars as pl
import pytest
from graph_tables import concept_id, image_id, passage, passage_id, tables_of

from kg_pipeline.graph import GraphError, blocked_deletes, wanted_graph
from kg_pipeline.ids import document_id
from kg_pipeline.tables import TABLES


def test_documents_that_cannot_be_read_are_left_out_and_stale_ones_stay():
    tables = tables_of()
    status = pl.when(pl.col("path") == "a.md").then(pl.lit("stale")).otherwise(pl.lit("unreadable"))
    tables["documents"] = tables["documents"].with_columns(status=status)
    wanted = wanted_graph("test", tables)
    assert wanted.nodes["Document"]["path"].to_list() == ["a.md"]
    assert wanted.nodes["Chunk"].height == 2


def test_only_kept_evidence_becomes_edges():
    wanted = wanted_graph("test", tables_of())
    edges = wanted.edges["HAS_VISUAL_EVIDENCE"]
    assert sorted(edges["start_label"]) == ["Chunk", "Chunk", "Document", "Document"]
    best = edges.filter(start_label="Document", end=image_id("pump"))["best_chunk"]
    assert best.to_list() == [passage_id("test", "a.md", 0)]
    assert wanted.edges["ILLUSTRATES"].select("start", "end").rows() == [(image_id("pump"), concept_id("Pump"))]


def test_floats_are_rounded():
    tables = tables_of()
    nudged = tables | {"visual_evidence": tables["visual_evidence"].with_columns(pl.col("log_odds") + 1e-7)}
    assert wanted_graph("test", tables).equals(wanted_graph("test", nudged))


def test_the_text_of_an_image_is_what_its_bytes_say_best_source_first():
    tables = tables_of(images=("pump",))
    texts = [("name", "pump"), ("ocr", "first"), ("ocr", "second"), ("description", "A pump.")]
    tables["image_texts"] = TABLES["image_texts"].rows(
        [{"image_id": image_id("pump"), "source": source, "text": text} for source, text in texts]
    )
    [image] = wanted_graph("test", tables).nodes["Image"].to_dicts()
    assert image["text"] == "A pump.\nfirst\nsecond"


def test_passages_follow_each_other_within_their_document():
    following = wanted_graph("test", tables_of()).edges["NEXT_CHUNK"]
    assert following.select("start", "end").rows() == [(passage_id("test", "a.md", 0), passage_id("test", "a.md", 1))]


def test_an_embedding_is_one_reference_and_only_ok_ones_count():
    tables = tables_of()
    assert wanted_graph("test", tables).edges["REFERENCES"].height == 3
    tables["references"] = tables["references"].with_columns(status=pl.lit("hidden"))
    assert wanted_graph("test", tables).edges["REFERENCES"].is_empty()


def test_references_without_line_and_target_are_kept():
    tables = tables_of(references=(("a.md", 0, "pump"),))
    tables["references"] = tables["references"].with_columns(
        line=pl.lit(None, pl.Int64), target=pl.lit(None, pl.String)
    )
    assert wanted_graph("test", tables).edges["REFERENCES"].select("line", "target").rows() == [(0, "")]


def test_a_rejection_holds_for_the_text_wherever_it_moved():
    wanted = wanted_graph("test", tables_of(rejected=(("b.md", 0, "logo"),)))
    [edge] = wanted.edges["REJECTED_EVIDENCE"].to_dicts()
    assert (edge["start"], edge["end"], edge["by"]) == (passage_id("test", "b.md", 0), image_id("logo"), "Zoë")
    tables = tables_of()
    tables["verdicts"] = tables["verdicts"].with_columns(text_sha256=pl.lit("of another text"))
    assert wanted_graph("test", tables).edges["REJECTED_EVIDENCE"].is_empty()


def test_an_accepted_pair_says_so():
    wanted = wanted_graph("test", tables_of(accepted=(("a.md", 0, "pump"),)))
    accepted = wanted.edges["HAS_VISUAL_EVIDENCE"].drop_nulls("verdict")
    assert accepted.select("start", "verdict", "verdict_synced").rows() == [
        (passage_id("test", "a.md", 0), "accepted", "accepted")
    ]


def test_relationships_to_what_is_in_no_table_are_left_out_and_counted():
    tables = tables_of()
    tables["chunks"] = tables["chunks"].filter(pl.col("text") != passage("a.md", 0))
    wanted = wanted_graph("test", tables)
    assert wanted.dangling == {"FROM_CHUNK": 1, "REFERENCES": 2, "HAS_VISUAL_EVIDENCE": 1}


def test_an_image_with_several_paths_lists_them_all():
    tables = tables_of(images=("pump",), references=())
    again = tables["image_files"].with_columns(path=pl.lit("copy/pump.png"))
    tables["image_files"] = pl.concat([tables["image_files"], again])
    [edge] = wanted_graph("test", tables).edges["IN_COLLECTION"].filter(start_label="Image").to_dicts()
    assert edge["paths"] == ["copy/pump.png", "img/pump.png"]


@pytest.mark.parametrize("label", ["Product) DETACH DELETE (n", "Image", "Prod uct"])
def test_a_foreign_label_is_checked(label):
    tables = tables_of(concepts=())
    foreign = {
        "concept_id": "1",
        "name": "one",
        "node_label": label,
        "key_property": "sku",
        "key_value": "1",
        "owned": False,
    }
    tables["concepts"] = TABLES["concepts"].rows([foreign])
    with pytest.raises(GraphError, match=r"node_label|cannot be a label"):
        wanted_graph("test", tables)


def test_foreign_concepts_are_ends_but_no_nodes():
    tables = tables_of()
    foreign = {"node_label": "Product", "key_property": "sku", "key_value": "p1", "owned": False}
    tables["concepts"] = tables["concepts"].with_columns(pl.lit(value).alias(name) for name, value in foreign.items())
    wanted = wanted_graph("test", tables)
    assert wanted.nodes["Concept"].is_empty()
    assert wanted.edges["ILLUSTRATES"].select("end_label", "end_key", "end").rows() == [("Product", "sku", "p1")]


def test_what_could_not_be_listed_blocks_deletes():
    tables = tables_of()
    assert blocked_deletes(tables["documents"], tables["image_files"]) is None
    folder = {"document_id": document_id("test", "more"), "path": "more", "format": "folder", "status": "unreadable"}
    documents = pl.concat([tables["documents"], TABLES["documents"].rows([folder | {"error": "permission denied"}])])
    files = TABLES["image_files"].rows([{"path": "scans.zip", "status": "unlistable", "error": "not a zip"}])
    reason = blocked_deletes(documents, files)
    assert reason == "could not be listed: more and 1 more (permission denied)"


def test_a_reason_that_the_model_wrote_stands_on_its_edge():
    tables = tables_of()
    key = {"image_id": image_id("pump"), "text_kind": "chunk", "text_id": passage_id("test", "a.md", 0)}
    tables["edge_reasons"] = TABLES["edge_reasons"].rows([{**key, "scorer": "model/1", "reason": "A pump is shown."}])
    edges = wanted_graph("test", tables).edges["HAS_VISUAL_EVIDENCE"]
    [reason] = edges.filter(start_label="Chunk", end=image_id("pump"))["reason"]
    assert reason == "Score: 9.0 — A pump is shown. (the model's words)"
