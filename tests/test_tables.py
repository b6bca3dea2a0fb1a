import polars as pl
import pytest

from kg_pipeline.tables import TABLES

# DESIGN section 4: read by other programs, so a change here is a change of contract.
CONTRACT = {
    "documents": (
        "document_id path uri format title language sha256 bytes status error node_label key_property key_value owned"
    ),
    "chunks": "chunk_id document_id index heading_path text text_sha256 line_start line_end page",
    "references": (
        "document_id document_path chunk_id line kind target alt caption status image_path image_id resolution"
    ),
    "image_files": "path uri image_id bytes modified_at status error origin",
    "images": (
        "image_id path width height format frames has_alpha perceptual_hash duplicate_group role decorative_reason"
    ),
    "image_descriptions": "image_id describer text error",
    "image_texts": "image_id source text confidence",
    "concepts": "concept_id name aliases description source node_label key_property key_value owned status error",
    "concept_mentions": "concept_id chunk_id alias",
    "candidate_pairs": "image_id text_kind text_id text_sha256 strategies fused_score position features",
    "pair_scores": "image_id text_kind text_id scorer direction log_odds score truncated",
    "embeddings": "text_sha256 embedder vector error",
    "visual_evidence": (
        "type image_id text_kind text_id document_id best_chunk_id log_odds score confidence confidence_source "
        "calibrator rank margin margin_points image_rank image_margin image_margin_points strategies contributions "
        "scorer kept reason"
    ),
    "edge_reasons": "image_id text_kind text_id scorer reason written",
    "orphan_images": (
        "path image_id reason duplicate_of best_document_path best_chunk_id score confidence suggestion_rank "
        "suggestion_group suggestion_value near_duplicate_of"
    ),
    "verdicts": "image_id text_kind document_id text_sha256 verdict by at",
    "evidence_weights": "version scorer feature weight shipped",
    "calibrators": (
        "version calibrator scorer text_kind slope intercept threshold target_precision precision coverage "
        "coverage_before pictures accuracy ece ece_floor"
    ),
    "evaluation": "scenario protocol stress scorer metric k value n ci_low ci_high",
}


def test_the_columns_are_the_contract():
    assert {name: " ".join(table.schema) for name, table in TABLES.items()} == CONTRACT


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_has_a_typed_empty_form_and_a_line_on_each_column(table):
    assert table.conform(table.empty()).schema == table.schema
    assert all(column.doc for column in table.columns)
    assert set(table.key) <= set(table.schema)


def test_rows_fill_missing_keys_with_null():
    row = TABLES["chunks"].rows([{"chunk_id": "c", "heading_path": ["A", "B"]}])
    assert row["heading_path"].to_list() == [["A", "B"]]
    assert row["page"].to_list() == [None]
    assert row.schema["heading_path"] == pl.List(pl.String)
