"""Every image with every text, straight from files: what `kg-pipeline score` does."""

from collections.abc import Callable, Sequence
from math import exp
from pathlib import Path
from typing import Any

from kg_pipeline.reranking.protocol import ImageScores, ImageTexts, Reason, Reranker


def score_files(reranker: Reranker, images: Sequence[str], texts: Sequence[str]) -> list[dict[str, Any]]:
    """A row per image and text, in the order given: image, text, log_odds, score, rank, margin.

    rank and margin (log-odds above the best other pair) are among the pairs that share the query; the first given
    wins a tie. A pair that could not be scored has null for all four, ranks last, and an `error`; `truncated` stands
    where a text was cut.
    """
    groups = [ImageTexts(str(number), Path(path).read_bytes, tuple(texts)) for number, path in enumerate(images)]
    found = {int(scores.image_id): scores for scores in reranker.score(groups)}
    rows = [
        _row(image, text, found[number], place)
        for number, image in enumerate(images)
        for place, text in enumerate(texts)
    ]
    count = len(texts)
    if reranker.direction == "image-to-text":
        queries = [rows[start : start + count] for start in range(0, len(rows), count or 1)]
    else:
        queries = [rows[place::count] for place in range(count)]
    for query in queries:
        _rank(query)
    return rows


def _row(image: str, text: str, scores: ImageScores, place: int) -> dict[str, Any]:
    log_odds = scores.log_odds[place]
    row = {
        "image": image,
        "text": text,
        "log_odds": log_odds,
        "score": None if log_odds is None else ten_points(log_odds),
        "rank": None,
        "margin": None,
    }
    if scores.truncated[place]:
        row["truncated"] = True
    if log_odds is None:
        row["error"] = scores.error
    return row


def ten_points(log_odds: float) -> float:
    """10 · sigmoid, without overflow."""
    return 10 / (1 + exp(-log_odds)) if log_odds >= 0 else 10 * exp(log_odds) / (1 + exp(log_odds))


def _rank(query: list[dict[str, Any]]) -> None:
    scored = sorted((row for row in query if row["log_odds"] is not None), key=lambda row: -row["log_odds"])
    for rank, row in enumerate(scored, start=1):
        row["rank"] = rank
        if len(scored) > 1:
            row["margin"] = row["log_odds"] - scored[1 if rank == 1 else 0]["log_odds"]


def add_reasons(rows: list[dict[str, Any]], explain: Callable[[bytes, str], Reason]) -> list[Reason]:
    """Put a `reason` to every row with a score: the sentence, or all the model wrote when it has no such form."""
    reasons = []
    for row in rows:
        if row["log_odds"] is not None:
            reason = explain(Path(row["image"]).read_bytes(), row["text"])
            row["reason"] = reason.why or reason.text
            reasons.append(reason)
    return reasons
