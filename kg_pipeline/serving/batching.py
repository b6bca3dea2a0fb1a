"""One device for all clients: a queue of jobs, of which each turn takes what waits, a share of every job.

A turn scores groups of several jobs together, one group of each job after the other, until it has as many pairs as the
scorer takes at once: a job of 200 pictures does not hold up a job of one. Turns run on one thread, so that a scorer
needs no locks. What nobody waits for any more (cancelled, past its deadline) is dropped before its turn.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from kg_pipeline.images import ImageError
from kg_pipeline.reranking import ImageScores, RerankerError
from kg_pipeline.reranking.protocol import Direction, Reason
from kg_pipeline.serving.errors import DeadlineError, OverloadedError, ServingError, UnavailableError
from kg_pipeline.serving.groups import PictureTexts
from kg_pipeline.serving.pictures import Picture
from kg_pipeline.serving.scoring import PairScorer
from kg_pipeline.serving.settings import RequestLimits

LINGER_SECONDS = 0.003
"""A turn waits so long when fewer jobs are there than in the turn before: their clients are about to ask again."""
FIRST_RATE = 20.0
"""Pairs a second that are assumed before anything was measured."""
LATE = "no answer within {:.0f} s: ask for fewer pictures at once, or later"

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Groups that one client waits for."""

    direction: Direction
    groups: tuple[PictureTexts, ...]
    deadline: float
    """By time.monotonic()."""
    on_progress: Callable[[int, int], None] | None = None
    """Called on the scoring thread with the groups that are done, and how many there are."""
    future: "Future[list[ImageScores]]" = field(default_factory=Future)
    begun: int = 0
    scores: list[ImageScores] = field(default_factory=list)
    """Of the first groups, in their order."""

    @property
    def pairs_left(self) -> int:
        """Pairs that no turn has taken yet."""
        return sum(len(group.texts) for group in self.groups[self.begun :])

    @property
    def bytes_left(self) -> int:
        """Bytes of the pictures that no turn has taken yet."""
        return sum(len(group.picture.data or b"") for group in self.groups[self.begun :])


@dataclass(eq=False)
class Explanation:
    """A sentence that one client waits for."""

    picture: Picture
    text: str
    deadline: float
    future: "Future[Reason | None]" = field(default_factory=Future)


@dataclass(frozen=True)
class Turn:
    """What the device does next."""

    jobs: tuple[tuple[Job, int], ...] = ()
    """Jobs with how many of their groups are in this turn."""
    groups: tuple[PictureTexts, ...] = ()
    owners: tuple[Job, ...] = ()
    explanation: Explanation | None = None

    @property
    def pairs(self) -> int:
        """Pairs to score."""
        return sum(len(group.texts) for group in self.groups)


class Batcher:
    """The queue before one scorer. Safe to use from several threads."""

    def __init__(
        self, scorer: PairScorer, limits: RequestLimits, on_turn: Callable[[Turn, float], None] | None = None
    ) -> None:
        """`on_turn` hears of every turn and its seconds."""
        self._scorer = scorer
        self._limits = limits
        self._on_turn = on_turn
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._explanations: deque[Explanation] = deque()
        self._thread = ThreadPoolExecutor(1, "scoring")
        self._loaded = False
        self._busy = False
        self._closed = False
        self._jobs_last_turn = 0
        self._rate = FIRST_RATE
        self.failure: str | None = None
        """Why nothing can be scored, after an error that was none of a request's."""

    def load(self) -> None:
        """Let the scorer load, on its thread, unless it is loaded. Raises RerankerError."""
        if not self._loaded:
            self._thread.submit(self._scorer.load).result()
            self._loaded = True

    @property
    def is_open(self) -> bool:
        """Whether jobs are taken."""
        return not self._closed and self.failure is None

    @property
    def waiting_jobs(self) -> int:
        """Jobs that somebody waits for."""
        with self._lock:
            return sum(not job.future.done() for job in self._all())

    @property
    def waiting_pairs(self) -> int:
        """Pairs that no turn has taken yet."""
        with self._lock:
            return sum(job.pairs_left for job in self._jobs)

    def submit(
        self,
        direction: Direction,
        groups: Sequence[PictureTexts],
        deadline: float,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Job:
        """Put groups into the queue. Raises OverloadedError, UnavailableError."""
        job = Job(direction, tuple(groups), deadline, on_progress)
        if not job.groups:
            job.future.set_result([])
            return job
        with self._lock:
            self._check_open()
            pairs = sum(waiting.pairs_left for waiting in self._jobs)
            held = sum(waiting.bytes_left for waiting in self._jobs)
            # A job that comes to an empty queue is taken whatever its size: its own limits are checked elsewhere.
            if self._jobs and (
                pairs + job.pairs_left > self._limits.waiting_pairs
                or held + job.bytes_left > self._limits.waiting_bytes
            ):
                raise OverloadedError(
                    f"{pairs} pairs wait already, and this server lets {self._limits.waiting_pairs} wait: try again "
                    "later",
                    pairs / self._rate,
                )
            self._jobs.append(job)
            self._start_turn()
        return job

    def submit_explanation(self, picture: Picture, text: str, deadline: float) -> Explanation:
        """Put a pair into the queue of what the model writes about. Raises OverloadedError, UnavailableError."""
        explanation = Explanation(picture, text, deadline)
        with self._lock:
            self._check_open()
            if len(self._explanations) >= 4 * self._limits.explanations:
                raise OverloadedError("too many explanations wait: try again later", float(len(self._explanations)))
            self._explanations.append(explanation)
            self._start_turn()
        return explanation

    def close(self, drain_seconds: float = 0.0) -> None:
        """Take no more jobs, finish those that are there within the time, and give the rest up."""
        with self._lock:
            self._closed = True
        until = time.monotonic() + drain_seconds
        while self.waiting_jobs and time.monotonic() < until:
            time.sleep(0.02)
        with self._lock:
            left = self._all()
            self._jobs.clear()
            self._explanations.clear()
        for job in left:
            _settle(job.future, error=UnavailableError("the server is stopping: ask again"))
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _all(self) -> list[Job | Explanation]:
        return [*self._jobs, *self._explanations]

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the server is stopping: ask again")
        if self.failure:
            raise UnavailableError(self.failure)

    def _start_turn(self) -> None:
        if not self._busy and (self._jobs or self._explanations):
            self._busy = True
            self._thread.submit(self._turn).add_done_callback(self._after_turn)

    def _after_turn(self, done: "Future[None]") -> None:
        with self._lock:
            self._busy = False
            error = None if done.cancelled() else done.exception()
            if error is not None:
                # A bug, or a library's: whoever waits is told, and so is everybody who asks from now on.
                log.error("scoring failed", exc_info=error)
                self.failure = "scoring failed; the server's log says more, and it has to be started again"
                left = self._all()
                self._jobs.clear()
                self._explanations.clear()
            else:
                left = []
                self._start_turn()
        for job in left:
            _settle(job.future, error=UnavailableError(self.failure or ""))

    def _turn(self) -> None:
        if len(self._jobs) < self._jobs_last_turn:
            time.sleep(LINGER_SECONDS)
        with self._lock:
            turn = self._next_turn()
        self._jobs_last_turn = len(turn.jobs)
        started = time.monotonic()
        if turn.groups:
            self._score(turn)
        if turn.explanation:
            self._explain(turn.explanation)
        seconds = time.monotonic() - started
        if turn.pairs:
            self._rate += 0.2 * (turn.pairs / max(seconds, 1e-4) - self._rate)
        if self._on_turn and (turn.groups or turn.explanation):
            self._on_turn(turn, seconds)

    def _next_turn(self) -> Turn:
        self._drop_dead()
        explanation = self._explanations.popleft() if self._explanations else None
        if not self._jobs:
            return Turn(explanation=explanation)
        direction = self._jobs[0].direction
        asked = [job for job in self._jobs if job.direction == direction]
        groups: list[PictureTexts] = []
        owners: list[Job] = []
        pairs = 0
        while pairs < self._scorer.pairs_at_once:
            ready = [job for job in asked if job.begun < len(job.groups)]
            if not ready:
                break
            for job in ready:
                group = job.groups[job.begun]
                groups.append(group)
                owners.append(job)
                job.begun += 1
                pairs += len(group.texts)
                if pairs >= self._scorer.pairs_at_once:
                    break
        # Who was served waits behind the others.
        served = set(owners)
        self._jobs = deque([job for job in self._jobs if job not in served] + [job for job in asked if job in served])
        counts = tuple((job, owners.count(job)) for job in dict.fromkeys(owners))
        return Turn(counts, tuple(groups), tuple(owners), explanation)

    def _drop_dead(self) -> None:
        now = time.monotonic()
        dead = [job for job in self._all() if job.future.cancelled() or job.deadline <= now]
        self._jobs = deque(job for job in self._jobs if job not in dead)
        self._explanations = deque(each for each in self._explanations if each not in dead)
        for job in dead:
            _settle(job.future, error=late(self._limits))

    def _score(self, turn: Turn) -> None:
        try:
            scores = self._scorer.score(turn.jobs[0][0].direction, turn.groups)
        except RerankerError as error:
            log.error("the reranker failed: %s", error)
            for job, _ in turn.jobs:
                self._forget(job)
                _settle(job.future, error=UnavailableError("the reranker failed; the server's log says why"))
            return
        for job, found in zip(turn.owners, scores, strict=True):
            job.scores.append(found)
        for job, _ in turn.jobs:
            if job.on_progress:
                job.on_progress(len(job.scores), len(job.groups))
            if len(job.scores) == len(job.groups):
                self._forget(job)
                _settle(job.future, result=job.scores)

    def _forget(self, job: Job) -> None:
        with self._lock:
            if job in self._jobs:  # it is not when the server has stopped meanwhile
                self._jobs.remove(job)

    def _explain(self, explanation: Explanation) -> None:
        try:
            reason = self._scorer.explain(explanation.picture, explanation.text)
        except (RerankerError, ImageError, ValueError) as error:
            log.warning("no explanation: %s", error)
            reason = None
        _settle(explanation.future, result=reason)


def late(limits: RequestLimits) -> DeadlineError:
    """The error of a job that is past its deadline."""
    return DeadlineError(LATE.format(limits.seconds))


def _settle(future: "Future[Any]", result: Any = None, error: ServingError | None = None) -> None:
    """Set a result or an error, unless whoever waited has given up in between."""
    try:
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
    except InvalidStateError:
        return
