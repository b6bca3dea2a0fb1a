"""The evidence model: fixed weights of named features, added up to log-odds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.tables import PAIR_FEATURES, TABLES

EVIDENCE_SCORER = "evidence-model/1"
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


# Weights: measured by hand on three corpora, blocking uses the same (kg_pipeline.candidates.lexical). `siblings` and
# `proximity` are 0 where no reference is visible. Intercept and scale: Platt fit of the sum on the hidden truth of the
# same corpora, one weight per corpus, rounded.
PASSAGE = Model(
    intercept=-7.0,
    scale=1.0,
    weights={
        "name_body": 1.0,
        "ocr_body": 0.5,
        "name_heading": 0.5,
        "folder_heading": 0.5,
        "name_trigrams": 0.5,
        "name_bigrams": 0.5,
        "ocr_bigrams": 0.5,
        "phrase": 0.4,
        "ui_labels": 0.5,
        "cue_words": 0.05,
        "name_title": 1.0,
        "folder_title": 0.75,
        "folder_overlap": 1.5,
        "folder_name": 2.0,
        "folder_like": 0.5,
        "folder_trigrams": 0.5,
        "title_trigrams": 0.5,
        "path_distance": -0.25,
        "name_document": 0.5,
        "ocr_document": 0.5,
        "name_prefix": 0.5,
        "same_language": 0.3,
        "index_page": -0.4,
        "siblings": 1.0,
        "proximity": 1.0,
    },
)
# Set by judgement, not fitted: there is no ground truth of pictures and concepts. A concept needs two of: named in the
# file name, read in the picture, mentioned in a passage that is itself likely.
CONCEPT = Model(
    intercept=-4.0,
    scale=1.0,
    weights={"concept_in_name": 2.5, "concept_in_image": 1.5, "concept_passage": 3.0, "concept_rarity": 1.0},
)
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
    """Evidence log-odds of each row: the sum of its contributions."""
    parts = contributions(candidate_pairs)
    return parts.select(pl.sum_horizontal(pl.all()).alias("log_odds"))["log_odds"]


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
