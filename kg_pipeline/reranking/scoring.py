"""Score candidate pairs with a reranker: what the ledger knows is looked up, the rest is scored and appended."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import polars as pl

from kg_pipeline.progress import progress
from kg_pipeline.reranking.protocol import ImageScores, ImageTexts, Reranker, RerankerError
from kg_pipeline.storage import ScoreLedger
from kg_pipeline.tables import TABLES

LEDGER_BATCH_PAIRS, LEDGER_BATCH_SECONDS = 512, 5.0
"""Pairs and seconds after which scores are committed: a killed run loses at most one batch."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoringReport:
    """What scoring cost."""

    pairs: int
    ledger_hits: int
    model_calls: int
    """Pairs that went to the model."""
    unscored: int
    """Pairs that could not be scored, such as those of an image that cannot be decoded."""
    expected_seconds: float = 0.0
    """The estimate that was printed before scoring."""
    model_seconds: float = 0.0
    """Wall-clock from the first pair to the last commit, loading included: what the device was held for."""


def score_pairs(
    reranker: Reranker,
    ledger: ScoreLedger,
    candidate_pairs: pl.DataFrame,
    texts: pl.DataFrame,
    load_image: Callable[[str], bytes],
    max_new_pairs: int | None = None,
) -> tuple[pl.DataFrame, ScoringReport]:
    """Scores of all candidate pairs (table pair_scores) and what they cost.

    `texts` has text_sha256 and text; `load_image` maps an image_id to the bytes of its file.
    Raises RerankerError before anything is scored when more than `max_new_pairs` pairs are not in the ledger.
    """
    pairs = candidate_pairs.select("image_id", "text_kind", "text_id", "text_sha256")
    distinct = pairs.select("text_sha256", "image_id").unique()
    known = ledger.lookup(reranker.fingerprint, distinct)
    new = distinct.join(known, on=["text_sha256", "image_id"], how="anti").join(texts, on="text_sha256")
    if max_new_pairs is not None and len(new) > max_new_pairs:
        raise RerankerError(
            f"{len(new)} pairs are new, max_new_pairs allows {max_new_pairs}; nothing was scored. "
            "Raise scoring.max_new_pairs in collections.yaml when the bill is fine"
        )
    started = time.monotonic()
    seconds = _score_into_ledger(reranker, ledger, new, load_image) if len(new) else 0.0
    taken = time.monotonic() - started if len(new) else 0.0
    scored = ledger.lookup(reranker.fingerprint, distinct)
    frame = _pair_scores(reranker, pairs, scored)
    report = ScoringReport(
        pairs=len(pairs),
        ledger_hits=len(known),
        model_calls=len(new),
        unscored=frame["log_odds"].null_count(),
        expected_seconds=seconds,
        model_seconds=taken,
    )
    return frame, report


def _score_into_ledger(
    reranker: Reranker, ledger: ScoreLedger, new: pl.DataFrame, load_image: Callable[[str], bytes]
) -> float:
    """Score the new pairs and return the seconds that were expected; what is scored is kept, however it ends."""
    seconds = len(new) / reranker.pairs_per_second
    estimate = (
        f"scoring {len(new)} new pairs, about {timedelta(seconds=math.ceil(seconds))} with {reranker.fingerprint}"
    )
    logger.info("%s", estimate)
    by_image = new.sort("image_id", "text_sha256").group_by("image_id", maintain_order=True).agg("text_sha256", "text")
    hashes = {row["image_id"]: row["text_sha256"] for row in by_image.iter_rows(named=True)}
    advance = progress(estimate, len(new))
    done = 0
    committed = time.monotonic()
    batch: list[tuple[str, str, float, bool]] = []
    try:
        for scores in reranker.score(_groups(by_image, load_image)):
            done += len(scores.log_odds)
            batch += _ledger_rows(scores, hashes[scores.image_id])
            if len(batch) >= LEDGER_BATCH_PAIRS or time.monotonic() - committed >= LEDGER_BATCH_SECONDS:
                full, batch = batch, []
                ledger.append(reranker.fingerprint, full)
                committed = time.monotonic()
            advance(done)
    finally:
        ledger.append(reranker.fingerprint, batch)
    ledger.compact()
    return seconds


def _groups(by_image: pl.DataFrame, load_image: Callable[[str], bytes]) -> Iterator[ImageTexts]:
    for row in by_image.iter_rows(named=True):
        yield ImageTexts(row["image_id"], partial(load_image, row["image_id"]), tuple(row["text"]))


def _ledger_rows(scores: ImageScores, text_hashes: list[str]) -> Iterator[tuple[str, str, float, bool]]:
    if scores.error:
        logger.warning("image %s was not scored: %s", scores.image_id[:12], scores.error)
    for text_sha256, log_odds, truncated in zip(text_hashes, scores.log_odds, scores.truncated, strict=True):
        # A NaN would win or lose every comparison at random: it counts as not scored and is tried again next time.
        if log_odds is not None and math.isfinite(log_odds):
            yield text_sha256, scores.image_id, log_odds, truncated


def _pair_scores(reranker: Reranker, pairs: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    return TABLES["pair_scores"].conform(
        pairs.join(scored, on=["text_sha256", "image_id"], how="left")
        .drop("text_sha256")
        .with_columns(
            scorer=pl.lit(reranker.fingerprint),
            direction=pl.lit(reranker.direction),
            score=10 / (1 + (-pl.col("log_odds")).exp()),
        )
    )
