"""A query over pictures, and groups of a picture with its texts: asked of the queue, answered as the API answers.

The same object stands behind HTTP and the watched folder, so both give the same scores.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from kg_pipeline.reranking import ImageScores
from kg_pipeline.reranking.protocol import Direction, Reason
from kg_pipeline.serving.answers import RankedPicture, RerankAnswer, ranked, with_reasons
from kg_pipeline.serving.batching import Batcher, Explanation, Job, Turn, late
from kg_pipeline.serving.errors import TooLargeError
from kg_pipeline.serving.groups import PictureTexts
from kg_pipeline.serving.pictures import Picture
from kg_pipeline.serving.scoring import SEARCH, ChosenScorer
from kg_pipeline.serving.settings import RequestLimits

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called with the pictures that are scored, and how many there are; on another thread."""


class RerankService:
    """Scores for everybody who asks this process. Safe to use from several threads and from coroutines."""

    def __init__(
        self,
        chosen: ChosenScorer,
        limits: RequestLimits | None = None,
        on_turn: Callable[[Turn, float], None] | None = None,
    ) -> None:
        """Nothing is loaded yet. `on_turn` hears of every turn of the scorer, and its seconds."""
        self.limits = limits or RequestLimits()
        self.chosen = chosen
        self.scorer = chosen.scorer
        self.batcher = Batcher(chosen.scorer, self.limits, on_turn)

    def load(self) -> None:
        """Load the scorer, which may take a minute. Raises RerankerError."""
        self.batcher.load()

    def close(self, drain_seconds: float = 0.0) -> None:
        """Finish what waits, within the time, and take nothing more."""
        self.batcher.close(drain_seconds)

    def rerank(
        self,
        query: str,
        pictures: Sequence[Picture],
        *,
        explain: bool = False,
        seconds: float | None = None,
        on_progress: Progress | None = None,
    ) -> RerankAnswer:
        """The answer, after at most `seconds` (the limit of a request when None). Raises ServingError."""
        started = time.monotonic()
        deadline = started + (seconds or self.limits.seconds)
        job = self._submit(query, pictures, deadline, on_progress)
        scores = self._wait(job.future, deadline)
        results = self._ranked(query, pictures, scores)
        if explain:
            asked = self._ask(query, pictures, results, deadline)
            results = with_reasons(
                results, _said({place: self._wait(each.future, deadline) for place, each in asked.items()})
            )
        return self._answer(results, started)

    async def rerank_soon(
        self, query: str, pictures: Sequence[Picture], *, explain: bool = False, on_progress: Progress | None = None
    ) -> RerankAnswer:
        """The same in a coroutine; cancelling it drops what has not begun. Raises ServingError."""
        started = time.monotonic()
        deadline = started + self.limits.seconds
        job = self._submit(query, pictures, deadline, on_progress)
        scores = await self._soon(job.future, deadline)
        if self.scorer.note is None:
            results = self._ranked(query, pictures, scores)
        else:  # words are looked up in files
            results = await asyncio.to_thread(self._ranked, query, pictures, scores)
        if explain:
            asked = self._ask(query, pictures, results, deadline)
            waiting = (self._soon(each.future, deadline) for each in asked.values())
            reasons = dict(zip(asked, await asyncio.gather(*waiting), strict=True))
            results = with_reasons(results, _said(reasons))
        return self._answer(results, started)

    async def score_soon(self, direction: Direction, groups: Sequence[PictureTexts]) -> list[ImageScores]:
        """Scores of each group, in their order. Raises ServingError."""
        pairs = sum(len(group.texts) for group in groups)
        if pairs > self.limits.pairs:
            raise TooLargeError(f"{pairs} pairs; this server takes {self.limits.pairs} in a request")
        deadline = time.monotonic() + self.limits.seconds
        return await self._soon(self.batcher.submit(direction, groups, deadline).future, deadline)

    async def explain_soon(self, picture: Picture, text: str) -> Reason | None:
        """What the model writes on a pair; None where there is no model, or it could not. Raises ServingError."""
        deadline = time.monotonic() + self.limits.seconds
        return await self._soon(self.batcher.submit_explanation(picture, text, deadline).future, deadline)

    def _submit(self, query: str, pictures: Sequence[Picture], deadline: float, on_progress: Progress | None) -> Job:
        self.check_count(len(pictures))
        if len(query) > self.limits.text_characters:
            raise TooLargeError(f"a query of {len(query)} characters; this server takes {self.limits.text_characters}")
        groups = [PictureTexts(picture, (query,)) for picture in pictures]
        return self.batcher.submit(SEARCH, groups, deadline, on_progress)

    def check_count(self, count: int) -> None:
        """Raises TooLargeError for more pictures than a request may have."""
        if count > self.limits.pictures:
            raise TooLargeError(f"{count} pictures; this server takes {self.limits.pictures} in a request")

    def _ranked(
        self, query: str, pictures: Sequence[Picture], scores: Sequence[ImageScores]
    ) -> tuple[RankedPicture, ...]:
        found = [
            self.scorer.findings(picture, query) if each.log_odds[0] is not None else None
            for picture, each in zip(pictures, scores, strict=True)
        ]
        return ranked(query, pictures, scores, found)

    def _ask(
        self, query: str, pictures: Sequence[Picture], results: Sequence[RankedPicture], deadline: float
    ) -> dict[int, Explanation]:
        """The best results are explained, up to the limit."""
        by_id = {picture.image_id: picture for picture in pictures}
        return {
            place: self.batcher.submit_explanation(by_id[result.image_id], query, deadline)
            for place, result in enumerate(results[: self.limits.explanations])
            if result.score is not None
        }

    def _answer(self, results: tuple[RankedPicture, ...], started: float) -> RerankAnswer:
        return RerankAnswer(
            results,
            round(1000 * (time.monotonic() - started)),
            self.scorer.fingerprint(SEARCH),
            SEARCH,
            self.scorer.note,
        )

    def _wait(self, future: "Future[Result]", deadline: float) -> Result:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            future.cancel()
            raise late(self.limits) from None

    async def _soon(self, future: "Future[Result]", deadline: float) -> Result:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise late(self.limits) from None


def _said(reasons: dict[int, Reason | None]) -> dict[int, str]:
    return {place: reason.why or reason.text for place, reason in reasons.items() if reason}
