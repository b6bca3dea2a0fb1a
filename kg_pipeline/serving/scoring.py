"""Who scores, in either direction: a reranker that looks at the pixels, or words where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Protocol, runtime_checkable

from PIL import Image

from kg_pipeline.config import Limits, Scoring
from kg_pipeline.reranking import ImageScores, ImageTexts, Reranker, RerankerError, choose_reranker
from kg_pipeline.reranking.protocol import Direction, Reason
from kg_pipeline.serving.groups import PictureTexts, unscored
from kg_pipeline.serving.pictures import Picture
from kg_pipeline.serving.words import NOTE, WordScorer

DIRECTIONS: tuple[Direction, ...] = ("text-to-image", "image-to-text")
SEARCH: Direction = "text-to-image"
"""A text as query, pictures as documents: the direction of the API, as in the founding article."""
PAIRS_AT_ONCE = 256
"""Pairs of one turn on the device: enough to fill it, few enough that a new request does not wait long."""


class PairScorer(Protocol):
    """Scores pairs of pictures and texts, from one thread."""

    pairs_at_once: int
    note: str | None
    """What a reader of the scores has to know."""

    def fingerprint(self, direction: Direction) -> str:
        """Names all that changes a score."""

    def load(self) -> None:
        """Get ready to score. Raises RerankerError."""

    def score(self, direction: Direction, groups: Sequence[PictureTexts]) -> list[ImageScores]:
        """Scores of each group, in their order. Raises RerankerError."""

    def findings(self, picture: Picture, text: str) -> str | None:
        """The words that speak for a pair that was scored; None where a model has looked at the pixels."""

    def explain(self, picture: Picture, text: str) -> Reason | None:
        """What the model writes on a pair; None without a model. Raises RerankerError, ImageError, ValueError."""

    def facts(self) -> dict[str, str | int | float]:
        """Device and memory."""


@runtime_checkable
class Turnable(Protocol):
    """A reranker that can ask its loaded model the other way round."""

    def turned(self, direction: Direction) -> Reranker:
        """The same weights in that direction."""


class RerankerScorer:
    """A reranker in both directions, with the weights loaded once."""

    pairs_at_once = PAIRS_AT_ONCE
    note: str | None = None

    def __init__(self, rerankers: dict[Direction, Reranker]) -> None:
        self._rerankers = rerankers

    def fingerprint(self, direction: Direction) -> str:
        """Of the reranker of that direction."""
        return self._rerankers[direction].fingerprint

    def load(self) -> None:
        """Score one small picture, so that the first client does not wait for the weights. Raises RerankerError."""
        buffer = BytesIO()
        Image.new("RGB", (64, 64), "white").save(buffer, "PNG")
        warm_up = [ImageTexts("warm-up", buffer.getvalue, ("a white square",))]
        for scores in self._rerankers[SEARCH].score(warm_up):
            if scores.error:
                raise RerankerError(f"the reranker cannot score a white square: {scores.error}")
        first = self._rerankers[SEARCH]
        if isinstance(first, Turnable):
            self._rerankers = {direction: first.turned(direction) for direction in DIRECTIONS} | {SEARCH: first}

    def score(self, direction: Direction, groups: Sequence[PictureTexts]) -> list[ImageScores]:
        """Groups of the same bytes are one group for the model: the picture is decoded and encoded once."""
        wanted: dict[str, dict[str, None]] = {}
        data: dict[str, bytes] = {}
        for group in groups:
            if group.picture.image_id and group.picture.data is not None:
                wanted.setdefault(group.picture.image_id, {}).update(dict.fromkeys(group.texts))
                data[group.picture.image_id] = group.picture.data
        merged = [
            ImageTexts(image_id, partial(data.__getitem__, image_id), tuple(texts))
            for image_id, texts in wanted.items()
        ]
        found = {scores.image_id: scores for scores in self._rerankers[direction].score(merged)}
        places = {image_id: {text: place for place, text in enumerate(texts)} for image_id, texts in wanted.items()}
        return [_of_group(group, found, places) for group in groups]

    def findings(self, _: Picture, __: str) -> str | None:
        """None: the pixels speak."""
        return None

    def explain(self, picture: Picture, text: str) -> Reason | None:
        """By the model."""
        assert picture.data is not None
        return self._rerankers[SEARCH].explain(picture.data, text)

    def facts(self) -> dict[str, str | int | float]:
        """Of the reranker."""
        return dict(self._rerankers[SEARCH].facts())


def _of_group(group: PictureTexts, found: dict[str, ImageScores], places: dict[str, dict[str, int]]) -> ImageScores:
    image_id = group.picture.image_id
    if image_id is None:
        return unscored(group)
    scores, place = found[image_id], [places[image_id][text] for text in group.texts]
    return ImageScores(
        image_id,
        tuple(scores.log_odds[at] for at in place),
        tuple(scores.truncated[at] for at in place),
        scores.error,
    )


@dataclass(frozen=True)
class ChosenScorer:
    """The scorer of a server, and why it is this one."""

    scorer: PairScorer
    reason: str


def choose_scorer(scoring: Scoring, limits: Limits, words: WordScorer) -> ChosenScorer:
    """The reranker that `scoring` asks for in both directions, or `words`. Raises RerankerError."""
    choice = choose_reranker(scoring.model_copy(update={"direction": SEARCH}), limits)
    if choice.reranker is None:
        return ChosenScorer(words, f"{choice.reason}. {NOTE}")
    rerankers: dict[Direction, Reranker] = {SEARCH: choice.reranker}
    for direction in DIRECTIONS:
        if direction != SEARCH:
            other = choose_reranker(scoring.model_copy(update={"direction": direction}), limits)
            assert other.reranker is not None
            rerankers[direction] = other.reranker
    return ChosenScorer(RerankerScorer(rerankers), choice.reason)
