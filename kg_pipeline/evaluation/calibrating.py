"""Calibrating a collection: weights and curves from its own hidden references, and what they are worth, as tables."""

import math
from typing import NamedTuple

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.config import Collection, KeptRule
from kg_pipeline.evaluation.cross_fitting import (
    ENOUGH_PICTURES,
    can_fit,
    cross_fitted,
    curves,
    fit,
    uncalibrated,
)
from kg_pipeline.evaluation.errors import EvaluationError
from kg_pipeline.evaluation.hidden_run import Score, hidden_run
from kg_pipeline.evaluation.measures import top1_answers
from kg_pipeline.evaluation.reliability import calibration_error, simulated_floor
from kg_pipeline.evaluation.truth import asked, truth_of, with_truth
from kg_pipeline.evidence import PRIOR_WEIGHTS, RERANKER_PRIOR, Calibration, score_pairs
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES

FEWEST_KEPT = 20
"""Kept pairs from which a precision is worth the name: a threshold above the rest of them is a guess."""
CERTAINTY = 1.0
"""The threshold where no other reaches the precision: what keeps nothing is never wrong."""
DIGITS = 6


class CalibrationTables(NamedTuple):
    """One version: its rows of the tables evidence_weights and calibrators."""

    evidence_weights: pl.DataFrame
    calibrators: pl.DataFrame


class Worth(NamedTuple):
    """What keeping pairs from a confidence on brings."""

    precision: float | None
    coverage: float


def calibrate(
    collection: Collection,
    corpus: Corpus,
    score: Score = lambda _, pairs: score_pairs(pairs),
    target_precision: float | None = None,
) -> CalibrationTables:
    """Fit on the hidden references of a collection (protocol folds). The rows have version 1; see `add_version`.

    `target_precision`: also find, for each kind, the least confidence from which that share of the kept pairs is right.
    Raises EvaluationError when too few pictures have a known answer.
    """
    truth = truth_of(corpus)
    if not can_fit(truth):
        known = len(asked(truth, "chunk"))
        raise EvaluationError(
            f"collection {collection.name}: {known} pictures are embedded by a document, {ENOUGH_PICTURES} are needed "
            "to calibrate; until then the confidence of an edge is its score / 10, and the edge says so"
        )
    run = hidden_run(collection, corpus, "folds", score)
    held_out = cross_fitted(collection, corpus, run, truth)
    found = fit(run, truth).with_curves(curves(uncalibrated(collection, corpus, run, truth), truth))
    if target_precision is not None:
        found = found.with_curves(
            {
                kind: curve.with_threshold(_threshold(held_out, truth, kind, collection.kept, target_precision))
                for kind, curve in found.curves.items()
            }
        )
    return CalibrationTables(_weight_rows(found), _curve_rows(found, collection, held_out, truth, target_precision))


def add_version(before: CalibrationTables, new: CalibrationTables) -> CalibrationTables:
    """Both tables with the new version added; as they were when the newest version says the same already."""
    newest = before.calibrators["version"].max()
    latest = int(newest) if isinstance(newest, int) else 0
    if latest and before.calibrators.filter(version=latest).drop("version").equals(new.calibrators.drop("version")):
        return before
    version = pl.lit(latest + 1, pl.Int64()).alias("version")
    added = (rows.with_columns(version) for rows in new)
    return CalibrationTables(*(pl.concat(tables) for tables in zip(before, added, strict=True)))


def recorded_versions(store: TableStore, collection: str) -> CalibrationTables:
    """All versions of a collection so far."""
    return CalibrationTables(*(store.read(name, collection) for name in CalibrationTables._fields))


def keep_version(store: TableStore, collection: str, new: CalibrationTables) -> CalibrationTables:
    """Add the version to the tables of a collection, and return them. Weights go first: curves make a version count."""
    after = add_version(recorded_versions(store, collection), new)
    for name, table in zip(CalibrationTables._fields, after, strict=True):
        store.write(name, collection, table)
    return after


def _weight_rows(calibration: Calibration) -> pl.DataFrame:
    of_all = {"version": 1, "scorer": calibration.scorer}
    rows = [
        {**of_all, "feature": name, "weight": weight, "shipped": PRIOR_WEIGHTS.get(name, RERANKER_PRIOR)}
        for name, weight in calibration.weights.items()
    ]
    return TABLES["evidence_weights"].rows(rows)


def _curve_rows(
    calibration: Calibration, collection: Collection, held_out: pl.DataFrame, truth: pl.DataFrame, target: float | None
) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    rule = collection.kept
    for kind, curve in calibration.curves.items():
        answers = top1_answers(with_truth(held_out, truth), truth, kind)
        answers = answers[answers[:, 0] >= 0]
        before = _worth(held_out, truth, kind, rule, rule.min_confidence)
        worth = before if curve.threshold is None else _worth(held_out, truth, kind, rule, curve.threshold)
        rows.append(
            {
                "version": 1,
                "calibrator": calibration.name,
                "scorer": calibration.scorer,
                "text_kind": kind,
                "slope": curve.slope,
                "intercept": curve.intercept,
                "threshold": curve.threshold,
                "target_precision": target,
                "precision": worth.precision,
                "coverage": worth.coverage,
                "coverage_before": before.coverage,
                "pictures": len(answers),
                "accuracy": float(answers[:, 1].mean()),
                "ece": calibration_error(answers),
                "ece_floor": simulated_floor(answers[:, 0]).value,
            }
        )
    return TABLES["calibrators"].rows(rows).with_columns(pl.col(pl.Float64).round(DIGITS))


def _threshold(evidence: pl.DataFrame, truth: pl.DataFrame, kind: str, rule: KeptRule, target: float) -> float:
    """The least confidence, not below the rule's, from which the share `target` of the kept pairs is right.

    CERTAINTY if there is none. Below the rule's: what is more likely wrong than right is not kept because the average
    of all that is kept can bear it.
    """
    pairs = _asked_pairs(evidence, truth, kind, rule).filter(pl.col("confidence") >= rule.min_confidence)
    pairs = pairs.sort("confidence", descending=True)
    enough = (
        pairs.with_columns(kept=pl.int_range(1, pl.len() + 1), precision=pl.col("right").cum_sum())
        .with_columns(precision=pl.col("precision") / pl.col("kept"))
        # Pairs of equal confidence are kept together.
        .filter(pl.col("confidence") != pl.col("confidence").shift(-1, fill_value=-1.0))
        .filter((pl.col("precision") >= target) & (pl.col("kept") >= FEWEST_KEPT))
    )
    # Rounded down: else the last pair would fall out by its own rounding.
    return CERTAINTY if enough.is_empty() else math.floor(enough["confidence"].item(-1) * 10**DIGITS) / 10**DIGITS


def _worth(evidence: pl.DataFrame, truth: pl.DataFrame, kind: str, rule: KeptRule, least: float) -> Worth:
    kept = _asked_pairs(evidence, truth, kind, rule).filter(pl.col("confidence") >= least)
    pictures = asked(truth, kind)
    covered = kept.filter("right")["image_id"].n_unique()
    precision = kept["right"].cast(pl.Float64).mean()
    return Worth(precision if isinstance(precision, float) else None, covered / len(pictures))


def _asked_pairs(evidence: pl.DataFrame, truth: pl.DataFrame, kind: str, rule: KeptRule) -> pl.DataFrame:
    of_asked = pl.col("image_id").is_in(asked(truth, kind).implode())
    pairs = evidence.filter(of_asked, pl.col("rank") <= rule.max_rank, text_kind=kind)
    return with_truth(pairs.filter(pl.col("confidence").is_not_null()), truth)
