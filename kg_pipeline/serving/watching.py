"""The watched folder: a query in a .txt and pictures in the .zip of the same name become a result file, unattended."""

import glob
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from kg_pipeline.config import Limits
from kg_pipeline.serving.answers import RerankAnswer
from kg_pipeline.serving.errors import DeadlineError, RefusedError, ServingError, TooLargeError
from kg_pipeline.serving.pictures import Picture
from kg_pipeline.serving.watched_folder import RESULT, Identity, Job, Pair, WatchFolder
from kg_pipeline.serving.watched_input import WATCH_LIMITS, JobError, incomplete, read_pictures, read_query
from kg_pipeline.storage.atomic import replacing

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
"""How long files that are not whole may stay as they are before the job has failed: an upload that was broken off."""
RETRY_SECONDS = 10.0
"""Between two attempts while the scorer or a folder is away."""
LONE_SECONDS = 60.0
"""After which a file without its other half is told of, once."""

Answerer = Callable[[str, Sequence[Picture]], RerankAnswer]
"""Raises ServingError."""

logger = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of jobs."""

    done: int = 0
    failed: int = 0
    waiting: int = 0
    """Claimed, but the scorer or a folder was away."""


class Watcher:
    """Watches one folder. The only state is in the folder itself."""

    def __init__(
        self,
        folder: Path,
        output: Path,
        answer: Answerer,
        *,
        poll_seconds: float = POLL_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        limits: Limits = WATCH_LIMITS,
    ) -> None:
        """Nothing is made or looked at yet."""
        self._files = WatchFolder(folder)
        self._output = output
        self._answer = answer
        self._poll = poll_seconds
        self._patience = patience_seconds
        self._limits = limits
        self._seen: dict[str, tuple[tuple[Identity, Identity], float]] = {}
        """Identity of each pair, and since when it is the same."""
        self._alone: dict[str, float] = {}
        self._waiting: list[Job] = []
        self._complaint = ""
        self._begun = False

    def run(self, stopped: Event) -> None:
        """Work until `stopped` is set; a job that is being scored is finished first. Raises WatchError.

        A folder that is away for a while, as a share may be, is waited for.
        """
        self._output.mkdir(parents=True, exist_ok=True)
        with self._files.locked():
            while not stopped.is_set():
                outcome = self._round()
                stopped.wait(max(self._poll, RETRY_SECONDS) if outcome.waiting else self._poll)

    def run_once(self) -> Outcome:
        """What is there now and does not change between two looks. Raises WatchError, OSError."""
        self._output.mkdir(parents=True, exist_ok=True)
        with self._files.locked():
            first = self._work()
            time.sleep(self._poll)
            second = self._work(by_age=True)
        return Outcome(first.done + second.done, first.failed + second.failed, second.waiting)

    def _round(self) -> Outcome:
        try:
            self._files.keep_lock()
            outcome = self._work()
        except OSError as error:
            self._complain(f"{self._files.folder} is away, and waited for: {error.strerror or type(error).__name__}")
            self._seen.clear()
            return Outcome(waiting=1)
        if not outcome.waiting:
            self._complaint = ""
        return outcome

    def _work(self, *, by_age: bool = False) -> Outcome:
        """One look, and all jobs that are ready. Raises OSError when the watched folder is away."""
        outcome = Outcome()
        if not self._begun:
            self._waiting, broken = self._files.unfinished()
            self._begun = True
            for job in broken:
                self._fail(job, "a file of the job was taken away or replaced while no watcher was running", outcome)
        # Removed as a whole by a person, it is no job any more.
        waiting, self._waiting = [job for job in self._waiting if job.folder.is_dir()], []
        for job in waiting:
            self._process(job, outcome)
        # The scorer, or the folder for results, is away: leave the others where people can still see them.
        for pair in [] if self._waiting else self._ready(by_age=by_age):
            job = self._files.claim(pair, datetime.now(UTC), self._output)
            self._process(job, outcome)
            if self._waiting:
                break
        outcome.waiting = len(self._waiting)
        return outcome

    def _ready(self, *, by_age: bool) -> list[Pair]:
        """Pairs that have not changed since the last look and are whole, or will not become so any more."""
        pairs, alone = self._files.pairs()
        now, ready, seen = time.monotonic(), [], {}
        for pair in pairs:
            try:
                identity = pair.identity()
                before, since = self._seen.get(pair.name, (None, now))
                seen[pair.name] = (identity, since if before == identity else now)
                if before != identity:
                    continue
                quiet = time.time() - max(pair.query.stat().st_ctime, pair.archive.stat().st_ctime) if by_age else 0.0
                if not incomplete(pair.query, pair.archive) or max(now - since, quiet) >= self._patience:
                    ready.append(pair)
            except FileNotFoundError:
                continue  # taken away again
        self._seen = seen
        self._tell_of(alone, now)
        return ready

    def _tell_of(self, alone: Sequence[str], now: float) -> None:
        """Say once that a file waits for its other half, which may be misspelt."""
        self._alone = {name: self._alone.get(name, now) for name in alone}
        for name, since in self._alone.items():
            if now - since >= LONE_SECONDS:
                logger.warning("%r waits for its other half, a .txt and a .zip of the same name", name)
                self._alone[name] = float("inf")

    def _process(self, job: Job, outcome: Outcome) -> None:
        try:
            self._score(job)
            self._files.finish(job)
            outcome.done += 1
        except (JobError, RefusedError, TooLargeError, DeadlineError) as error:
            self._fail(job, str(error), outcome)
        except ServingError as error:
            self._wait(job, f"the scorer is away: {error}")
        except OSError as error:
            if self._was_taken_away(job):
                self._fail(job, "a file of the job was taken away while it was worked on", outcome)
            else:
                self._wait(job, f"{error.filename or 'a folder'}: {error.strerror or type(error).__name__}")

    def _was_taken_away(self, job: Job) -> bool:
        """Whether a person has removed a file of the job; not so when the whole folder is away."""
        return job.folder.is_dir() and not (job.query.exists() and job.archive.exists())

    def _score(self, job: Job) -> None:
        result = self._output / f"{job.label}{RESULT}"
        if result.exists():
            # Written whole before a crash; only the move was missing.
            logger.info("job %s: its result was there already", job.shown)
            return
        # A share that is away must not be replaced by a local folder of its name.
        self._output.stat()
        started = time.monotonic()
        if problem := incomplete(job.query, job.archive):
            raise JobError(f"{problem}, and did not change for {self._patience:.0f} s")
        query, pictures = read_query(job.query), read_pictures(job.archive, self._limits)
        answer = self._answer(query, pictures)
        for left in self._output.glob(f".{glob.escape(result.name)}.*.tmp"):
            left.unlink()  # of a watcher that was killed while it wrote
        with replacing(result) as beside:
            beside.write_text(json.dumps(answer.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        unscored = sum(each.score is None for each in answer.results)
        logger.info(
            "job %s: %d pictures%s, %.1f s", job.shown, len(pictures),
            f", {unscored} of them without a score" if unscored else "", time.monotonic() - started,
        )  # fmt: skip

    def _fail(self, job: Job, reason: str, outcome: Outcome) -> None:
        try:
            self._files.fail(job, reason)
        except OSError as error:
            self._wait(job, f"{error.filename or 'a folder'}: {error.strerror or type(error).__name__}")
            return
        outcome.failed += 1
        logger.warning("job %s failed: %s", job.shown, reason)

    def _wait(self, job: Job, why: str) -> None:
        self._waiting.append(job)
        self._complain(f"job {job.shown} waits: {why}")

    def _complain(self, what: str) -> None:
        """Say it once, not at every look."""
        if what != self._complaint:
            logger.error("%s", what)
            self._complaint = what
