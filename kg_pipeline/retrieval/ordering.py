"""Passages with visual evidence first: one formula, and a weight that can be 0. And words put together with meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kg_pipeline.retrieval.hits import Hit

FORMULA = "score = relevance * (1 + weight * visual)"
DEFAULT_WEIGHT = 0.1
"""Measured (benchmarks/results/retrieval-2026-11-22.md): the largest that loses less than two points of recall@10
and of nDCG@10 on questions whose answer has no picture, when every picture of the documents counts."""

Scored = Sequence[tuple[str, float]]
"""Ids with their scores, best first."""


def illustrated_first(hits: Sequence[Hit], weight: float) -> list[Hit]:
    """`hits`, given in the order of plain search, ordered by FORMULA; equal ones stay in that order.

    With weight 0 the order is that of plain search, exactly. `weight` says how many times its relevance a passage may
    be short of another and still pass it: with 0.3 one with certain visual evidence passes those that are up to 1.3
    times as relevant and have none. A factor, so that what has nothing to do with the question stays behind.
    """
    scored = [replace(hit, score=hit.relevance * (1.0 + weight * hit.visual)) for hit in hits]
    return sorted(scored, key=lambda hit: -hit.score)


def fused(words: Scored, meaning: Scored) -> list[tuple[str, float]]:
    """Found by words and by meaning: the mean of both relevances, 0–1, best first.

    Bruch, Gai and Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, 2023 (arXiv:2210.11934): a convex
    combination of normalised scores is steadier than reciprocal ranks. BM25 is divided by the best; cosines, whose
    lower end says nothing, are stretched from the least to the best of those found.
    """
    parts = (_divided(words), stretched(meaning))
    total = {item: sum(part.get(item, 0.0) for part in parts) / 2 for part in parts for item in part}
    return sorted(total.items(), key=lambda found: (-found[1], found[0]))


def stretched(scores: Scored) -> dict[str, float]:
    """Scores with the least as 0 and the best as 1; 1 where all are alike."""
    if not scores:
        return {}
    low, high = min(score for _, score in scores), max(score for _, score in scores)
    return {item: (score - low) / (high - low) if high > low else 1.0 for item, score in scores}


def _divided(scores: Scored) -> Mapping[str, float]:
    high = max((score for _, score in scores), default=0.0)
    return {item: score / high for item, score in scores} if high > 0 else {}
