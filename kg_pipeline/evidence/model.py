"""The evidence model: fixed weights of named features, added up to log-odds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.weights import DOCUMENT_WEIGHTS, PASSAGE_WEIGHTS
from kg_pipeline.tables import PAIR_FEATURES, TABLES

EVIDENCE_SCORER = "evidence-model/5"
"""Fingerprint; the number goes up with any change of a feature or a weight."""
INTERCEPT = "intercept"


@dataclass(frozen=True)
class Model:
    """log-odds = intercept + scale * sum of weight * feature; a feature that is null adds nothing."""

    intercept: float
    scale: float
    weights: Mapping[str, float]

    def contributions(self, features: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """What the intercept and each weighted feature add to the log-odds, in order, feature by feature."""
        count = len(next(iter(features.values())))
        parts = {INTERCEPT: np.full(count, self.intercept)}
        for name, weight in self.weights.items():
            parts[name] = np.round(self.scale * weight * np.nan_to_num(features[name]), 6)
        return parts


RIVALS = "rivals"
INSIDE = "inside"
"""Like a folder, and no guess: by judgement it weighs as much as name, lines and title that all fit another passage."""
SHARPNESS = 2.0
"""Weighted sums of rivals count exponentially at this sharpness, as in a softmax of temperature 0.5."""
NO_PASSAGE = 2.5
"""The weighted sum of "it belongs to no passage", a rival that is always there: holds down what little is known of."""

# Words and paths weigh what they weigh in blocking. `siblings` and `proximity` are 0 where no reference is visible.
# `rivals` weighs -1 / SHARPNESS, so that the sum is the logit of a softmax over the passages: an image that fits fifty
# passages equally well belongs to each with little probability. Intercept and scale: Platt fit of that logit of first
# passages, no reference visible, on seven sites of 802 pictures (the three corpora count four times as much as each of
# the others), rounded: 0.52, 1.01. What it is worth on a site that it was not fitted on stands in
# benchmarks/results/evaluation-2026-11-23.md.
PASSAGE = Model(
    intercept=0.5,
    scale=1.0,
    weights={
        **PASSAGE_WEIGHTS,
        **DOCUMENT_WEIGHTS,
        "siblings": 2.0,
        "proximity": 1.0,
        INSIDE: 6.0,
        "embedding": 1.0,
        RIVALS: -1 / SHARPNESS,
    },
)
DOCUMENT_INTERCEPT = 1.6
DOCUMENT_SCALE = 1.7
"""Log-odds of a document from those of its best passage: right documents are far more often first than right passages.
The same fit as PASSAGE's, of first documents."""
# Fitted to concepts that are named in the passage that embeds a picture, or in a heading above it; no reference
# visible, six sites of 525 pictures, each counting the same: first on all candidates, then intercept and scale on the
# first three of each picture, rounded. Nothing more was told by whether it is read in the picture, which its passages
# know already, how rare it is, and how many likely passages mention it.
CONCEPT = Model(intercept=-2.3, scale=1.0, weights={"concept_in_name": 1.3, "concept_passage": 5.8})
MODELS: Mapping[str, Model] = {"chunk": PASSAGE, "concept": CONCEPT}


def contributions(candidate_pairs: pl.DataFrame) -> pl.DataFrame:
    """One column per part, `intercept` and every feature, in the rows' order; null where the model has no such part."""
    features = candidate_pairs["features"].struct.unnest()
    names = [INTERCEPT, *PAIR_FEATURES]
    columns = {name: np.full(len(candidate_pairs), np.nan) for name in names}
    for kind, model in MODELS.items():
        rows = np.flatnonzero((candidate_pairs["text_kind"] == kind).to_numpy())
        values = {name: features[name].to_numpy().astype(np.float64)[rows] for name in model.weights}
        for name, part in model.contributions(values).items():
            columns[name][rows] = part
    return pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))


def log_odds(candidate_pairs: pl.DataFrame) -> pl.Series:
    """Evidence log-odds of each row: the sum of its contributions, to nine places."""
    parts = contributions(candidate_pairs).fill_null(0.0).to_numpy()
    # pl.sum_horizontal adds in an order that depends on the threads, which moves the last bit from run to run.
    return pl.Series("log_odds", parts.sum(axis=1), pl.Float64).round(9)


def score_pairs(candidate_pairs: pl.DataFrame) -> pl.DataFrame:
    """Table pair_scores by the evidence model alone."""
    scored = candidate_pairs.select("image_id", "text_kind", "text_id").with_columns(
        log_odds(candidate_pairs),
        scorer=pl.lit(EVIDENCE_SCORER),
        direction=pl.lit(None, pl.String()),
        truncated=pl.lit(False),
    )
    return TABLES["pair_scores"].conform(scored.with_columns(score=10 * sigmoid(pl.col("log_odds"))))


def sigmoid(log_odds: pl.Expr) -> pl.Expr:
    """Probability of log-odds."""
    return 1 / (1 + (-log_odds).exp())
