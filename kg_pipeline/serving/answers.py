"""The answer to a query over pictures: ranks, margins, and the sentence `Score: X.X — reason` on every picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kg_pipeline.reranking import ImageScores
from kg_pipeline.reranking.direct import ten_points
from kg_pipeline.reranking.protocol import Direction
from kg_pipeline.reranking.reasons import is_chinese
from kg_pipeline.serving.pictures import Picture

DIGITS = 4
"""Of scores and log-odds: 0.1 of a point is told apart, the rounding of the device is not shown."""


@dataclass(frozen=True)
class RankedPicture:
    """One picture of an answer. What could not be scored has no numbers, and an error."""

    image_path: str
    """As the client wrote it."""
    image_id: str | None
    """SHA-256 of the bytes."""
    score: float | None
    """0 to 10."""
    rank: int | None
    """From 1, without ties."""
    margin: float | None
    """Log-odds above the best other picture, as in the tables; below 0 for all but the first."""
    margin_points: float | None
    """The same in points, the article's Δ."""
    confidence: float | None
    """score / 10, the rule of the founding article; no calibration is fitted to a query of a stranger."""
    log_odds: float | None
    raw_output: str
    truncated: bool = False
    """Whether the query was cut to the model's limit."""
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As the API says it; `truncated` and `error` only where there is something to say."""
        row = {name: value for name, value in vars(self).items() if name not in ("truncated", "error")}
        if self.truncated:
            row["truncated"] = True
        if self.error:
            row["error"] = self.error
        return row


@dataclass(frozen=True)
class RerankAnswer:
    """The answer to one query."""

    results: tuple[RankedPicture, ...]
    """Best first; what could not be scored last, in the order of the request."""
    total_time_ms: int
    scorer: str
    direction: Direction
    note: str | None = None
    """What a reader of the scores has to know; None where a model has looked at the pictures."""

    def as_json(self) -> dict[str, Any]:
        """The body of the answer."""
        answer: dict[str, Any] = {
            "results": [result.as_json() for result in self.results],
            "total_time_ms": self.total_time_ms,
            "scorer": self.scorer,
            "direction": self.direction,
        }
        if self.note:
            answer["note"] = self.note
        return answer


def ranked(
    query: str, pictures: Sequence[Picture], scores: Sequence[ImageScores], by_words: Sequence[str | None]
) -> tuple[RankedPicture, ...]:
    """The pictures, best first; of equal ones the first asked for wins.

    `scores` of the one query, in the order of `pictures`. `by_words`: what a scorer without a model found in each.
    """
    able = [at for at in range(len(pictures)) if scores[at].log_odds[0] is not None]
    order = sorted(able, key=lambda at: -_log_odds(scores[at]))
    scored = [_points(scores[at]) for at in order]
    found = []
    for place, (at, score) in enumerate(zip(order, scored, strict=True)):
        other = order[1 if place == 0 else 0] if len(order) > 1 else at
        found.append(
            RankedPicture(
                image_path=pictures[at].name,
                image_id=pictures[at].image_id,
                score=score,
                rank=place + 1,
                margin=None if len(scored) == 1 else round(_log_odds(scores[at]) - _log_odds(scores[other]), DIGITS),
                margin_points=None if len(scored) == 1 else round(score - _points(scores[other]), DIGITS),
                confidence=round(score / 10, DIGITS + 1),
                log_odds=round(_log_odds(scores[at]), DIGITS),
                raw_output=said(score, _why(query, place, scored, by_words[at])),
                truncated=scores[at].truncated[0],
            )
        )
    unable = [at for at in range(len(pictures)) if at not in set(able)]
    return tuple(found + [_unscored(query, pictures[at], scores[at]) for at in unable])


def said(score: float | None, why: str) -> str:
    """`Score: X.X — why`."""
    return f"Score: {'none' if score is None else f'{score:.1f}'} — {why}"


def with_reasons(results: Sequence[RankedPicture], reasons: Mapping[int, str]) -> tuple[RankedPicture, ...]:
    """The results with what the model wrote on those at some places."""
    return tuple(
        replace(result, raw_output=said(result.score, reasons[place])) if place in reasons else result
        for place, result in enumerate(results)
    )


def _log_odds(scores: ImageScores) -> float:
    log_odds = scores.log_odds[0]
    assert log_odds is not None
    return log_odds


def _points(scores: ImageScores) -> float:
    return round(ten_points(_log_odds(scores)), DIGITS)


def _unscored(query: str, picture: Picture, scores: ImageScores) -> RankedPicture:
    error = picture.error or scores.error or "it could not be scored"
    why = f"无法评分:{error}" if is_chinese(query) else f"not scored: {error}"
    return RankedPicture(
        picture.name, picture.image_id, None, None, None, None, None, None, said(None, why), error=error
    )


def _why(query: str, place: int, scored: Sequence[float], by_words: str | None) -> str:
    """Composed from the numbers, in the language of the query."""
    first, count, chinese = place == 0, len(scored), is_chinese(query)
    points = abs(scored[place] - scored[1 if first else 0]) if count > 1 else 0.0
    if chinese:
        rank = f"{count} 张图片中排第 {place + 1}" if count > 1 else "只有一张图片"
        gap = f",比{'第二名高' if first else '第一名低'} {points:.1f} 分" if count > 1 else ""
        return f"{rank}{gap};" + ("由重排序模型看图判断" if by_words is None else f"仅凭文字判断:{by_words}")
    rank = f"rank {place + 1} of {count}" if count > 1 else "the only picture"
    gap = f", {points:.1f} points {'above the second' if first else 'below the first'}" if count > 1 else ""
    how = "judged by the reranker from the pixels" if by_words is None else f"by words only: {by_words}"
    return f"{rank}{gap}; {how}"
