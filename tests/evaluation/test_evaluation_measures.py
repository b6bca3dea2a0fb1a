"""The measures, by hand, on answers written down here."""

import numpy as np
import polars as pl
import pytest

from kg_pipeline.evaluation.measures import METRICS, measure, measure_ranks, top1_answers
from kg_pipeline.evaluation.truth import TRUTH, with_truth


def truth(*rows: tuple[str, str, str, bool]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TRUTH, orient="row")


# Picture a belongs to passage p2 (next to p1), picture b to p3 and p4, picture c to p5; nothing was found for c.
TRUE = truth(
    ("a", "chunk", "p1", False),
    ("a", "chunk", "p2", True),
    ("a", "document", "d1", True),
    ("b", "chunk", "p3", True),
    ("b", "chunk", "p4", True),
    ("b", "document", "d2", True),
    ("c", "chunk", "p5", True),
    ("c", "document", "d2", True),
)
# image, kind, text, rank, score, confidence, kept
FOUND = [
    ("a", "chunk", "p1", 1, 9.0, 0.9, True),
    ("a", "chunk", "p2", 2, 7.0, 0.7, False),
    ("a", "document", "d1", 1, 9.0, 0.9, True),
    ("b", "chunk", "p3", 1, 8.0, 0.8, True),
    ("b", "chunk", "p9", 2, 5.0, 0.5, True),
    ("b", "document", "d3", 1, 8.0, 0.8, False),
]
DOCUMENT_OF = {"p1": "d1", "p2": "d1", "p3": "d3", "p9": "d3"}
COLUMNS = ("image_id", "text_kind", "text_id", "rank", "score", "confidence", "kept")
EVIDENCE = pl.DataFrame(FOUND, schema=COLUMNS, orient="row").with_columns(
    document_id=pl.col("text_id").replace_strict(DOCUMENT_OF, default=pl.col("text_id"))
)
RIVALS = pl.DataFrame(
    [
        (0, "p2", "a", 1.0, 7.0, True),
        (0, "p2", "b", 2.0, 8.0, False),
        (0, "p3", "b", 3.0, 8.0, True),
        (0, "p3", "a", 1.0, 6.5, False),
    ],
    schema=("fold", "text_id", "image_id", "log_odds", "score", "right"),
    orient="row",
)

# x is a real orphan.
SUGGESTIONS = pl.DataFrame(
    [(0, "a", "d1", 3), (0, "x", "d1", 1), (0, "b", "d3", 2)],
    schema=("fold", "image_id", "document_id", "rank"),
    orient="row",
)


@pytest.fixture
def values() -> dict:
    return {(sample.metric, sample.k): sample.values for sample in measure(EVIDENCE, RIVALS, SUGGESTIONS, TRUE)}


@pytest.mark.parametrize(
    ("metric", "k", "expected"),
    [
        ("recall", 1, [0, 1, 0]),
        ("recall", 10, [1, 1, 0]),
        ("near", 1, [1, 1, 0]),
        ("all", 50, [1, 0.5, 0]),
        ("document", 1, [1, 0, 0]),
        ("mrr", None, [0.5, 1, 0]),
        ("margin_passage", None, [-2, 3]),  # nothing to compare with for c
        ("no_candidate", None, [0, 0, 1]),
        ("kept_precision", None, [0, 1, 0]),
        ("kept_coverage", None, [1, 1, 0]),
        ("suggestion", None, [0, 1]),
        ("suggestion", 10, [0, 1]),
        ("suggestion_coverage", None, [1, 1, 0]),
        ("image", 1, [0, 1, 0, 0]),  # p2, p3, and p4, p5 for which nothing was proposed
        ("margin_image", None, [-1, 1.5]),
    ],
)
def test_measures_by_hand(values, metric, k, expected):
    assert values[metric, k].tolist() == expected


def test_calibration_looks_at_the_first_answer_only():
    answers = with_truth(EVIDENCE, TRUE)
    assert top1_answers(answers, TRUE, "chunk").tolist() == [[0.9, 0], [0.8, 1]]
    assert top1_answers(answers, TRUE, "document").tolist() == [[0.9, 1], [0.8, 0]]


def test_an_unscored_pair_is_an_answer_without_confidence():
    unscored = EVIDENCE.with_columns(confidence=pl.lit(None, pl.Float64()), score=pl.lit(None, pl.Float64()))
    assert top1_answers(with_truth(unscored, TRUE), TRUE, "chunk").shape == (0, 2)


def test_the_baseline_is_measured_by_the_same_ranks():
    found = {(sample.metric, sample.k): sample.values for sample in measure_ranks(EVIDENCE, TRUE)}
    assert found["recall", 1].tolist() == [0, 1, 0]
    assert found["document", 1].tolist() == [1, 0, 0]


def test_every_measure_says_what_it_is():
    assert {sample.metric for sample in measure(EVIDENCE, RIVALS, SUGGESTIONS, TRUE)} <= set(METRICS)


def test_a_calibration_error_comes_with_its_floor():
    sample = next(one for one in measure(EVIDENCE, RIVALS, SUGGESTIONS, TRUE) if one.metric == "ece_passage")
    names = [name for name, _, _ in sample.estimates()]
    assert names == ["ece_passage", "ece_passage_floor"]
    nothing = [one for one in measure(EVIDENCE, RIVALS, SUGGESTIONS, TRUE) if one.metric == "ece_concept"]
    assert [list(one.estimates()) for one in nothing] == [[]]
    assert np.isfinite(next(sample.estimates())[2].value)
