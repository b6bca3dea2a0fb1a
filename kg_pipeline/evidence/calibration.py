"""A calibration: weights fitted on a collection's own references, and curves that turn log-odds into probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from kg_pipeline.evidence.model import EVIDENCE_SCORER, INSIDE, INTERCEPT, PASSAGE, RIVALS
from kg_pipeline.ids import stable_id

RERANKER = "reranker"
"""The part of the fused log-odds that a model reranker brings: its own log-odds, weighted."""
FUSED_FEATURES = tuple(name for name in PASSAGE.weights if name != RIVALS)
PRIOR_SCALE = 1.6
"""Of the shipped weights in a softmax over proposed passages: fitted on three corpora, 1.67."""
PRIOR_WEIGHTS: Mapping[str, float] = {name: PRIOR_SCALE * PASSAGE.weights[name] for name in FUSED_FEATURES}
"""Where fitting starts from, and what few references are drawn back to: the evidence model as shipped."""
RERANKER_PRIOR = 1.0
"""The same for a reranker: its log-odds as they are."""
NO_PASSAGE = 4.0
"""Fused log-odds of "it belongs to no passage": 2.5 weighted points of the evidence model at PRIOR_SCALE."""

# Draws the curve towards "as it is", so that a handful of answers that are all right does not promise certainty.
CURVE_RIDGE = 1e-3


@dataclass(frozen=True)
class Curve:
    """Platt scaling: probability = sigmoid(slope * log-odds + intercept). Source: Platt 1999."""

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float | None = None
    """Confidence from which pairs become edges; the collection's `kept.min_confidence` when None."""

    def with_threshold(self, threshold: float) -> "Curve":
        """The same curve, keeping pairs from another confidence on."""
        return replace(self, threshold=threshold)


@dataclass(frozen=True)
class Calibration:
    """What a collection has learned about one scorer. Applies to that scorer only, whatever its name may resemble."""

    scorer: str
    weights: Mapping[str, float] = field(default_factory=lambda: PRIOR_WEIGHTS)
    """Of FUSED_FEATURES, and of RERANKER where the scorer is one."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """By text_kind (chunk, document, concept); a kind without one keeps its probability as it is."""

    @property
    def name(self) -> str:
        """Hash of all that it says."""
        curves = {kind: (curve.slope, curve.intercept, curve.threshold) for kind, curve in self.curves.items()}
        return stable_id(self.scorer, repr(sorted(self.weights.items())), repr(sorted(curves.items())))[:12]

    def with_curves(self, curves: Mapping[str, Curve]) -> "Calibration":
        """The same weights with other curves."""
        return replace(self, curves=curves)


def calibration_of(scorer: str, evidence_weights: pl.DataFrame, calibrators: pl.DataFrame) -> Calibration | None:
    """The newest calibration of exactly this scorer in the tables of a collection; None when there is none."""
    curves = calibrators.filter(scorer=scorer)
    if curves.is_empty():
        return None
    [version] = curves.select(pl.col("version").max()).to_series()
    weights = evidence_weights.filter(version=version).select("feature", "weight").rows()
    rows = curves.filter(version=version).select("text_kind", "slope", "intercept", "threshold").rows()
    return Calibration(scorer, dict(weights), {kind: Curve(*values) for kind, *values in rows})


def is_evidence_model(scorer: str) -> bool:
    """Whether a fingerprint is the evidence model's: of whatever version, fitted or not."""
    return scorer.startswith(EVIDENCE_SCORER.partition("/")[0] + "/")


def fit_curve(log_odds: NDArray[np.float64], right: NDArray[np.bool_]) -> Curve:
    """The curve of top-1 answers: log-odds and whether each was right, one per picture."""
    sign = 2.0 * right - 1

    def loss(curve: NDArray[np.float64]) -> float:
        ridge = CURVE_RIDGE * ((curve[0] - 1) ** 2 + curve[1] ** 2)
        return float(np.logaddexp(0, -sign * (curve[0] * log_odds + curve[1])).mean() + ridge)

    # A slope below 0 would turn the order round: then the log-odds say nothing, and the share of right ones is all.
    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.0, None), (None, None)]).x
    return Curve(round(float(found[0]), 6), round(float(found[1]), 6))


def fused_parts(pairs: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """What each part adds to the fused log-odds of passages, a column per part, in the rows' order; see fused_sum.

    `pairs`: image_id, document_id, work (id shared by translations of a document), features, log_odds (the scorer's;
    null when it could not score), counted (whether blocking proposed the pair: those that are here for another reason
    are not rivals of others, or a visible reference would change the scores of its own picture).
    The part `rivals` is -log(sum of exp(fused sum) over the other counted passages of the picture and "no passage"):
    with it the sum is the logit of a softmax. Translations of the passage's document are no rivals, nor are passages at
    which the picture lies in documents among themselves.
    """
    features = pairs["features"].struct.unnest()
    parts = {
        name: np.nan_to_num(features[name].cast(pl.Float64).to_numpy()) * weight
        for name, weight in calibration.weights.items()
        if name != RERANKER
    }
    if RERANKER in calibration.weights:
        parts[RERANKER] = calibration.weights[RERANKER] * pairs["log_odds"].cast(pl.Float64).to_numpy()
    parts = {name: np.round(part, 6) for name, part in parts.items()}
    total = np.sum([*parts.values()], axis=0) if parts else np.zeros(len(pairs))
    parts[RIVALS] = -np.round(_rivals(pairs, total), 6)
    return pl.DataFrame({INTERCEPT: np.zeros(len(pairs)), **parts})


def fused_sum(parts: pl.DataFrame) -> pl.Series:
    """Fused log-odds: the sum of the parts; null where the scorer could not score."""
    total = parts.to_numpy().sum(axis=1)
    return pl.Series("fused", total, pl.Float64).fill_nan(None).round(9)


def any_of(log_odds: pl.Expr) -> pl.Expr:
    """Log-odds that at least one holds: noisy-or of independent probabilities, 1 - product of (1 - p)."""
    # -log(1 - sigmoid(x)) = log(1 + exp(x)); bounded, so that certainty stays a number.
    none_of = pl.max_horizontal(log_odds, pl.lit(0.0)) + (-log_odds.abs()).exp().log1p()
    return none_of.sum().clip(1e-9, 30.0).exp().sub(1.0).log()


def _rivals(pairs: pl.DataFrame, total: NDArray[np.float64]) -> NDArray[np.float64]:
    image = _codes(pairs["image_id"])
    document, work = (_codes(pairs[column], image) for column in ("document_id", "work"))
    pictures = int(image.max(initial=-1)) + 1
    # What the scorer could not score is nobody's rival.
    total = np.where(pairs["counted"].to_numpy() & ~np.isnan(total), total, -np.inf)
    top = np.full(pictures, NO_PASSAGE)
    np.maximum.at(top, image, total)
    share = np.exp(total - top[image])
    nothing = np.exp(NO_PASSAGE - top)
    all_of = (np.bincount(image, share, pictures) + nothing)[image]
    translations = _summed(work, share) - _summed(document, share)
    lies_here = pairs["features"].struct.field(INSIDE).fill_null(0).to_numpy() >= 1
    elsewhere = np.where(lies_here, _summed(image, np.where(lies_here, share, 0)) - share, 0)
    # At least "no passage", which is always a rival: rounding must not leave less than nothing.
    return np.asarray(top[image] + np.log(np.maximum(all_of - share - translations - elsewhere, nothing[image])))


def _codes(column: pl.Series, within: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Small numbers for equal values; with `within`, for equal values that share its number."""
    codes = column.rank("dense").cast(pl.Int64).to_numpy() - 1
    if within is None or not len(codes):
        return np.asarray(codes)
    return np.unique(within * (codes.max() + 1) + codes, return_inverse=True)[1].reshape(-1)


def _summed(group: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row the sum over its group. bincount adds in the rows' order: the same bits on every run."""
    return np.asarray(np.bincount(group, values)[group]) if len(group) else values
