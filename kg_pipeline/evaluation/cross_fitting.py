"""Judging every picture by weights and curves that were fitted without it, and fitting them on all pictures."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.fusion import REFERENCE
from kg_pipeline.config import Collection
from kg_pipeline.evaluation.hidden_run import HiddenRun
from kg_pipeline.evaluation.truth import KEY, asked, with_truth
from kg_pipeline.evidence import Calibration, Curve, fit_curve, fit_weights, is_evidence_model, judge
from kg_pipeline.tables import TABLES

KINDS = ("chunk", "document", "concept")
ENOUGH_PICTURES = 50
"""Pictures with a known answer from which fitting pays: with 93 it clearly does, with 30 it is luck."""
CERTAIN = 1e-9


def scorer_of(run: HiddenRun) -> str:
    """Fingerprint of the one scorer of a run."""
    [scorer] = run.evidence["scorer"].drop_nulls().unique().to_list()
    return str(scorer)


def can_fit(truth: pl.DataFrame) -> bool:
    """Whether enough pictures have a known passage."""
    return len(asked(truth, "chunk")) >= ENOUGH_PICTURES


def cross_fitted(collection: Collection, corpus: Corpus, run: HiddenRun, truth: pl.DataFrame) -> pl.DataFrame:
    """The evidence of a `folds` run, each fold judged by weights and curves of the other folds: evidence with `fold`.

    What a picture's own reference says goes into nothing that judges it: the curves for a fold, too, come from answers
    whose weights were fitted without it. (Its references that vote for training pictures are not hidden again.)
    """
    fitted = {}
    for fold in _folds(run):
        others = uncalibrated(collection, corpus, run, truth, without=fold)
        fitted[fold] = fit(run, truth, without={fold}).with_curves(curves(others, truth))
    return judge_folds(collection, corpus, run, fitted)


def uncalibrated(
    collection: Collection, corpus: Corpus, run: HiddenRun, truth: pl.DataFrame, without: int | None = None
) -> pl.DataFrame:
    """The same with weights of the other folds and no curves: what curves are fitted on. `without`: not that fold."""
    folds = [fold for fold in _folds(run) if fold != without]
    left_out = set() if without is None else {without}
    return judge_folds(collection, corpus, run, {fold: fit(run, truth, without={fold} | left_out) for fold in folds})


def fit(run: HiddenRun, truth: pl.DataFrame, without: AbstractSet[int] = frozenset()) -> Calibration:
    """Weights fitted on the pictures of a run (but those of some folds), with curves that change nothing."""
    scorer = scorer_of(run)
    weights = fit_weights(training_pairs(run, truth, without), with_reranker=not is_evidence_model(scorer))
    return Calibration(scorer, weights, {kind: Curve() for kind in KINDS})


def training_pairs(run: HiddenRun, truth: pl.DataFrame, without: AbstractSet[int] = frozenset()) -> pl.DataFrame:
    """What weights are fitted on (see fit_weights): the proposed passages of a run, but those of some folds."""
    pairs = with_truth(run.pairs.filter(text_kind="chunk"), truth).with_columns(
        counted=pl.col("strategies") != [REFERENCE]
    )
    log_odds = run.evidence.filter(text_kind="chunk").select(*KEY, "log_odds")
    return pairs.filter(~pl.col("fold").is_in(sorted(without))).join(
        log_odds, on=KEY, how="left", maintain_order="left"
    )


def curves(evidence: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Curve]:
    """A curve for every kind with enough pictures, from the top-1 answers of evidence that `uncalibrated` judged."""
    found = {}
    for kind in KINDS:
        log_odds, right = top1(evidence, truth, kind)
        if len(log_odds) >= ENOUGH_PICTURES:
            found[kind] = fit_curve(log_odds, right)
    return found


def top1(evidence: pl.DataFrame, truth: pl.DataFrame, kind: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log-odds of the confidence of each asked picture's first answer, and whether it is right."""
    first = evidence.filter(text_kind=kind, rank=1).filter(pl.col("image_id").is_in(asked(truth, kind).implode()))
    first = with_truth(first.filter(pl.col("confidence").is_not_null()), truth)
    confidence = np.clip(first["confidence"].to_numpy(), CERTAIN, 1 - CERTAIN)
    return np.log(confidence) - np.log1p(-confidence), first["right"].to_numpy()


def judge_folds(
    collection: Collection, corpus: Corpus, run: HiddenRun, calibrations: Mapping[int, Calibration]
) -> pl.DataFrame:
    """The evidence of a run judged again, each fold by its own calibration: evidence with `fold`."""
    scores = run.evidence.filter(pl.col("text_kind").is_in(["chunk", "concept"])).select(
        *KEY, "scorer", "log_odds", "score", "fold", direction=pl.lit(None, pl.String()), truncated=pl.lit(False)
    )
    none = TABLES["verdicts"].empty()
    parts = []
    for fold, calibration in calibrations.items():
        pairs, of_fold = run.pairs.filter(fold=fold), scores.filter(fold=fold)
        evidence = judge(collection, corpus, pairs.drop("fold"), of_fold.drop("fold"), none, calibration)
        parts.append(evidence.with_columns(pl.lit(fold).alias("fold")))
    return pl.concat(parts).sort("type", "image_id", "text_kind", "rank")


def _folds(run: HiddenRun) -> list[int]:
    return sorted(run.pairs["fold"].unique().to_list())
