"""The reranker behind an address: one machine with a GPU scores for many without, and stays loaded."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from threading import Event, Lock
from typing import Protocol, TypeVar

from PIL import Image

from kg_pipeline.images.errors import ImageError
from kg_pipeline.model_sections import RemoteReranker as RemoteSection
from kg_pipeline.model_server import RefusedError
from kg_pipeline.reranking.protocol import Direction, ImageScores, ImageTexts, Reason, RerankerError

PAIRS_AT_ONCE = 256
"""Pairs of one request, which is what our own server takes to its device in one turn."""
BUSY_PAUSE_SECONDS = 5.0
"""Between two attempts at a busy server, each of which already has retries by its Retry-After."""
ASSUMED_PAIRS_PER_SECOND = 50.0
"""Where the server does not say how fast it is; only the estimate before scoring depends on it."""

Made = TypeVar("Made")


class BusyError(RerankerError):
    """The server has no room for the request now."""


class LateError(RerankerError):
    """The server gave up on the request: it had no time for so many pairs."""


@dataclass(frozen=True)
class SentGroup:
    """One image with its texts, as it travels."""

    image_id: str
    image: bytes
    texts: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """About its size in a request: base64 makes four of three."""
        return len(self.image) * 4 // 3 + sum(len(text.encode()) + 3 for text in self.texts)


class ScoreServer(Protocol):
    """A server that scores groups, from several threads; the formats of requests and answers are its own matter."""

    fingerprint: str
    """Of the scorer that answers there."""
    groups_at_once: int
    """Groups that one request may have."""
    pairs_per_second: float | None

    def score(self, groups: Sequence[SentGroup]) -> list[ImageScores]:
        """Scores of each group, in their order. Raises RefusedError, BusyError, LateError, RerankerError."""

    def explain(self, image: bytes, text: str) -> Reason:
        """See Reranker. Raises RefusedError, BusyError, RerankerError."""

    def close(self) -> None:
        """Let go of the connections."""


class RemoteReranker:
    """A Reranker whose model is on another machine: requests of bounded size, several on their way at once."""

    def __init__(self, server: ScoreServer, section: RemoteSection, direction: Direction) -> None:
        self.fingerprint = server.fingerprint
        self.direction = direction
        self._server = server
        self._section = section
        self._takes_some = False
        self._images_taken: set[str] = set()
        self._pairs_at_once = PAIRS_AT_ONCE
        self._ended = Event()
        self._counting = Lock()
        self._requests = 0
        self._seconds_busy = 0.0

    @property
    def pairs_per_second(self) -> float:
        """As the server says."""
        return self._server.pairs_per_second or ASSUMED_PAIRS_PER_SECOND

    def score(self, groups: Iterable[ImageTexts]) -> Iterator[ImageScores]:
        """Yield the scores of each group in the order of the groups. Raises RerankerError.

        What other requests have brought by the time one fails is yielded before the error is raised.
        """
        self._ended.clear()
        with ThreadPoolExecutor(self._section.parallel, "remote-reranker") as pool:
            waiting: deque[Future[list[ImageScores]]] = deque()
            try:
                for batch in self._batches(groups):
                    waiting.append(pool.submit(self._answered, batch))
                    # One batch more than there are threads, so that none of them waits for a picture to be read.
                    if len(waiting) > self._section.parallel:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            except RerankerError:
                self._ended.set()
                for future in waiting:
                    if not future.cancel() and future.exception() is None:
                        yield from future.result()
                raise
            finally:
                self._ended.set()
                for future in waiting:
                    future.cancel()

    def explain(self, image: bytes, text: str) -> Reason:
        """A reason by the server's model. Raises RerankerError, ValueError."""
        self._ended.clear()
        try:
            return self._patiently(lambda: self._server.explain(image, text))
        except RefusedError as error:
            raise ValueError(f"the server refuses the pair: {error}") from error

    def facts(self) -> Mapping[str, str | int | float]:
        """Address, requests, and how long the server had no room."""
        return {"server": self._section.url, "requests": self._requests, "seconds_busy": round(self._seconds_busy, 1)}

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()

    def _batches(self, groups: Iterable[ImageTexts]) -> Iterator[list[SentGroup | ImageScores]]:
        """Groups of one request, and between them the scores of those that cannot be sent."""
        batch: list[SentGroup | ImageScores] = []
        size = pairs = sent = 0
        for group in groups:
            loaded = _loaded(group)
            if isinstance(loaded, SentGroup):
                full = (
                    size + loaded.bytes > self._section.request_bytes or pairs + len(loaded.texts) > self._pairs_at_once
                )
                if sent and (full or sent >= self._server.groups_at_once):
                    yield batch
                    batch, size, pairs, sent = [], 0, 0, 0
                size, pairs, sent = size + loaded.bytes, pairs + len(loaded.texts), sent + 1
            batch.append(loaded)
        if batch:
            yield batch

    def _answered(self, batch: Sequence[SentGroup | ImageScores]) -> list[ImageScores]:
        scored = iter(self._scored([item for item in batch if isinstance(item, SentGroup)]))
        return [next(scored) if isinstance(item, SentGroup) else item for item in batch]

    def _scored(self, groups: Sequence[SentGroup]) -> list[ImageScores]:
        """Scores of the groups; which of them the server refuses is found by halving."""
        if not groups:
            return []
        try:
            found = self._patiently(lambda: self._server.score(groups))
        except RefusedError as refusal:
            if len(groups) == 1:
                return [self._without_refused(groups[0], refusal)]
            return self._scored(groups[: len(groups) // 2]) + self._scored(groups[len(groups) // 2 :])
        except LateError:
            pairs = sum(len(group.texts) for group in groups)
            if pairs == 1:
                raise
            self._pairs_at_once = min(self._pairs_at_once, pairs // 2)
            if len(groups) == 1:
                return [self._in_halves(groups[0])]
            return self._scored(groups[: len(groups) // 2]) + self._scored(groups[len(groups) // 2 :])
        self._takes_some = True
        return found

    def _without_refused(self, group: SentGroup, refusal: RefusedError) -> ImageScores:
        """Scores of a group that was refused as a whole: of some of its texts, or of none where it is the image."""
        if len(group.texts) > 1 and (group.image_id in self._images_taken or self._takes_image(group)):
            return self._in_halves(group)
        self._check_that_a_plain_pair_passes(refusal)
        return _unscored(group.image_id, len(group.texts), f"the server refuses it: {refusal}")

    def _takes_image(self, group: SentGroup) -> bool:
        """Whether the image passes with its shortest text; else it would be sent with each of them alone."""
        words = [text for text in group.texts if text.strip()] or list(group.texts)
        taken = self._scored([replace(group, texts=(min(words, key=len),))])[0].error is None
        if taken:
            self._images_taken.add(group.image_id)
        return taken

    def _in_halves(self, group: SentGroup) -> ImageScores:
        middle = len(group.texts) // 2
        halves = (replace(group, texts=texts) for texts in (group.texts[:middle], group.texts[middle:]))
        first, second = (self._scored([half])[0] for half in halves)
        return ImageScores(
            group.image_id,
            first.log_odds + second.log_odds,
            first.truncated + second.truncated,
            first.error or second.error,
        )

    def _check_that_a_plain_pair_passes(self, refusal: RefusedError) -> None:
        """Without this, a server that takes nothing at all would be asked about every pair, and the run succeed."""
        if self._takes_some:
            return
        try:
            self._patiently(lambda: self._server.score([PLAIN_PAIR]))
        except RefusedError as error:
            raise RerankerError(
                f"the reranker server at {self._section.url} refuses every pair ({refusal}): is it of another version, "
                "or does its model see no pictures? Look at its log"
            ) from error
        self._takes_some = True

    def _patiently(self, ask: Callable[[], Made]) -> Made:
        """What `ask` returns; asked again while the server has no room, for as long as busy_seconds says."""
        began = time.monotonic()
        while True:
            with self._counting:
                self._requests += 1
            try:
                return ask()
            except BusyError as error:
                waited = time.monotonic() - began
                if waited >= self._section.busy_seconds or self._ended.wait(BUSY_PAUSE_SECONDS):
                    raise RerankerError(
                        f"{error}, for {waited:.0f} s by now (scoring.remote.busy_seconds): run again when others need "
                        "it less; scores made so far are kept"
                    ) from error
                with self._counting:
                    self._seconds_busy += BUSY_PAUSE_SECONDS


def _loaded(group: ImageTexts) -> SentGroup | ImageScores:
    if not group.texts:
        return ImageScores(group.image_id, (), ())
    try:
        return SentGroup(group.image_id, group.load(), group.texts)
    except (OSError, ValueError, ImageError) as error:
        return _unscored(group.image_id, len(group.texts), f"the image cannot be read: {error}")


def _unscored(image_id: str, texts: int, error: str) -> ImageScores:
    return ImageScores(image_id, (None,) * texts, (False,) * texts, error)


def _white_square() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (64, 64), "white").save(buffer, "PNG")
    return buffer.getvalue()


PLAIN_PAIR = SentGroup("plain", _white_square(), ("a white square",))
"""What every server of pictures and texts takes."""
