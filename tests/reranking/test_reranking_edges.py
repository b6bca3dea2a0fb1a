"""Reasons in the model's words for kept edges: chosen by certainty, written once, never touching a score."""

import polars as pl
import pytest

from kg_pipeline.reranking.edges import explain_edges, with_model_reasons
from kg_pipeline.reranking.protocol import Reason
from kg_pipeline.reranking.reasons import parse
from kg_pipeline.tables import TABLES

COMPOSED = "Score: 7.0 — words of the file name stand in the passage; kept: confidence 0.70 ≥ 0.50, rank 1 ≤ 3"


class Writer:
    """Writes the same form for every pair, but for a text that it has no words for."""

    fingerprint = "writer/1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def explain(self, image: bytes, text: str) -> Reason:
        self.asked.append(text)
        return parse("no idea" if "odd" in text else f"Score: 9.9 — {image.decode()} shows $1 {text}.")


def row(image: str, kind: str, text: str, confidence: float, **more: object) -> dict[str, object]:
    return {
        "type": "HAS_VISUAL_EVIDENCE", "image_id": image, "text_kind": kind, "text_id": text, "log_odds": confidence,
        "score": confidence * 10, "confidence": confidence, "rank": 1, "kept": True, "reason": COMPOSED, **more,
    }  # fmt: skip


@pytest.fixture
def evidence():
    return TABLES["visual_evidence"].rows(
        [
            row("a", "chunk", "c1", 0.9),
            row("a", "chunk", "c2", 0.5),
            row("a", "document", "d", 0.5, best_chunk_id="c2"),
            row("b", "chunk", "odd", 0.6),
            row("b", "concept", "k", 0.7),
            row("b", "chunk", "c1", 0.1, kept=False),
            row("c", "chunk", "c2", 0.0, log_odds=None, score=None),
        ]
    )


@pytest.fixture
def texts():
    kinds = {"c1": "chunk", "c2": "chunk", "odd": "chunk", "k": "concept"}
    return pl.DataFrame([{"text_kind": kind, "text_id": name, "text": f"text {name}"} for name, kind in kinds.items()])


def test_the_least_certain_edges_are_explained_and_a_second_run_asks_nothing(evidence, texts, tmp_path):
    writer = Writer()
    reasons, report = explain_edges(writer, evidence, texts, str.encode, 3, tmp_path)
    assert writer.asked == ["text c2", "text odd", "text k"]
    assert (report.edges, report.model_calls, report.failed) == (3, 3, 0)
    assert report.parsed_share == pytest.approx(2 / 3)
    again, report = explain_edges(writer, evidence, texts, str.encode, 3, tmp_path)
    assert report.model_calls == 0
    assert again.equals(reasons)
    more, report = explain_edges(writer, evidence, texts, str.encode, 9, tmp_path)
    assert (report.model_calls, writer.asked[-1]) == (1, "text c1")
    assert len(more) == len(reasons) + 1


def test_a_reason_replaces_what_was_found_and_nothing_else(evidence, texts, tmp_path):
    reasons, _ = explain_edges(Writer(), evidence, texts, str.encode, 9, tmp_path)
    told = with_model_reasons(evidence, reasons)
    assert told.drop("reason").equals(evidence.drop("reason"))
    said = {(image, text): reason for image, text, reason in told.select("image_id", "text_id", "reason").iter_rows()}
    expected = "Score: 7.0 — a shows $1 text c2. (the model's words); kept: confidence 0.70 ≥ 0.50, rank 1 ≤ 3"
    assert said["a", "c2"] == expected
    assert said["a", "d"] == expected  # a document speaks through its best passage
    assert said["b", "odd"] == COMPOSED
    assert said["b", "c1"] == COMPOSED


def test_without_reasons_nothing_changes(evidence):
    assert with_model_reasons(evidence, TABLES["edge_reasons"].empty()).equals(evidence)


def test_a_picture_that_is_gone_is_counted_and_a_damaged_entry_written_again(evidence, texts, tmp_path):
    def load(image_id: str) -> bytes:
        if image_id == "b":
            raise OSError("gone")
        return image_id.encode()

    writer = Writer()
    reasons, report = explain_edges(writer, evidence, texts, load, 9, tmp_path)
    assert report.failed == 2
    assert set(reasons["image_id"]) == {"a"}
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    again, report = explain_edges(writer, evidence, texts, load, 9, tmp_path)
    assert report.model_calls == 2
    assert again.equals(reasons)


def test_another_scorer_writes_its_own_reasons(evidence, texts, tmp_path):
    explain_edges(Writer(), evidence, texts, str.encode, 1, tmp_path)
    other = Writer()
    other.fingerprint = "writer/2"
    assert explain_edges(other, evidence, texts, str.encode, 1, tmp_path)[1].model_calls == 1
