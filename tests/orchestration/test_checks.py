"""The checks before the graph, on tables with one mistake each."""

import polars as pl
import pytest

from kg_pipeline.orchestration.checks import bad_scores, doubled_keys, missing_ends
from kg_pipeline.tables import TABLES

EVIDENCE = {
    "type": "HAS_VISUAL_EVIDENCE",
    "image_id": "i",
    "text_kind": "chunk",
    "text_id": "c",
    "log_odds": 1.0,
    "score": 7.3,
    "confidence": 0.73,
}


def tables(**evidence: object) -> dict[str, pl.DataFrame]:
    pair = {"image_id": "i", "text_kind": "chunk", "text_id": "c"}
    return {
        "candidate_pairs": TABLES["candidate_pairs"].rows([pair]),
        "pair_scores": TABLES["pair_scores"].rows([pair]),
        "visual_evidence": TABLES["visual_evidence"].rows([{**EVIDENCE, **evidence}]),
        "images": TABLES["images"].rows([{"image_id": "i"}]),
        "chunks": TABLES["chunks"].rows([{"chunk_id": "c"}]),
        "documents": TABLES["documents"].empty(),
        "concepts": TABLES["concepts"].empty(),
    }


def test_good_tables_pass_every_check():
    for check in (doubled_keys, missing_ends, bad_scores):
        assert not any(check(tables().__getitem__).values())


def test_a_pair_that_stands_twice_is_found():
    doubled = tables()
    doubled["visual_evidence"] = pl.concat([doubled["visual_evidence"]] * 2)
    assert doubled_keys(doubled.__getitem__)["visual_evidence"] == 2


def test_evidence_for_an_image_or_text_that_does_not_exist_is_found():
    assert missing_ends(tables(image_id="gone").__getitem__)["images"] == 1
    assert missing_ends(tables(text_id="gone").__getitem__)["chunks"] == 1
    assert missing_ends(tables(text_kind="concept").__getitem__)["concepts"] == 1


@pytest.mark.parametrize(
    "wrong", [{"log_odds": float("nan")}, {"log_odds": float("inf")}, {"score": 10.1}, {"confidence": -0.1}]
)
def test_a_score_that_is_no_number_in_its_range_is_found(wrong):
    assert sum(bad_scores(tables(**wrong).__getitem__).values()) == 1


def test_a_pair_that_could_not_be_scored_is_no_mistake():
    unscored = tables(log_odds=None, score=None, confidence=None)
    assert not any(bad_scores(unscored.__getitem__).values())
