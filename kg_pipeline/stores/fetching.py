"""Fetching many objects at once into the cache: only what changed, each outcome counted, none lost to another."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock

from kg_pipeline.progress import progress
from kg_pipeline.stores.cache import Kept, StoreCache
from kg_pipeline.stores.errors import AwayError, ObjectError, RefusedError
from kg_pipeline.stores.objects import Store, StoreObject, is_etag

PARALLEL = 8
"""Requests at once: a picture is small, so the way there and back is most of its time."""
BATCH = 2_000
"""Objects that are handed to the threads at a time."""
AWAY_AFTER = 16
"""Objects in a row without an answer, after which the store is not asked for the others: each may take minutes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An object that a place lists, whom to ask for it, and the copy there is, if any."""

    item: StoreObject
    place: str
    store: Store
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a wish: the copy, old or new, or why there is none."""

    kept: Kept | None
    status: str = "ok"
    """ok, skipped, unreadable."""
    error: str | None = None
    fetched: bool = False
    """Whether bytes came; else the copy was there, or nothing is."""


@dataclass
class Fetching:
    """Fetches for one run of a collection."""

    cache: StoreCache
    limit: int
    """Bytes of an object."""
    _silent: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _stop: Event = field(default_factory=Event)

    def run(self, wishes: Sequence[Wish], description: str) -> Iterator[list[tuple[Wish, Outcome]]]:
        """Outcomes in the order of the wishes, a batch at a time. Raises OSError when the cache cannot be written."""
        advance, done = progress(description, len(wishes)), 0
        with ThreadPoolExecutor(PARALLEL, "fetch") as pool:
            try:
                for start in range(0, len(wishes), BATCH):
                    part, outcomes = wishes[start : start + BATCH], []
                    for outcome in pool.map(self._one, part):
                        outcomes.append(outcome)
                        done += 1
                        advance(done)
                    yield list(zip(part, outcomes, strict=True))
            finally:
                # An interrupted run must not work off its queue first.
                self._stop.set()
                pool.shutdown(cancel_futures=True)
        self._stop.clear()

    def _one(self, wish: Wish) -> Outcome:
        item, kept = wish.item, wish.kept
        if item.bytes is not None and item.bytes > self.limit:
            error = f"{item.bytes:,} bytes, more than {self.limit:,} (limits.image_bytes); not fetched"
            return Outcome(None, "skipped", error)
        if kept is not None and not self.cache.has(kept):
            kept = None
        if kept is not None and item.mark is not None and kept.mark == item.mark:
            return Outcome(kept)
        if self._stop.is_set() or self._is_silent(wish.place):
            return Outcome(None, "unreadable", f"not asked for: the store stopped answering ({AWAY_AFTER} times)")
        try:
            outcome = self._fetched(wish, kept)
        except RefusedError as error:
            outcome = Outcome(None, "skipped", str(error))
        except ObjectError as error:
            self._note(wish.place, isinstance(error, AwayError))
            return Outcome(None, "unreadable", str(error))
        self._note(wish.place, False)
        return outcome

    def _fetched(self, wish: Wish, kept: Kept | None) -> Outcome:
        item, file = wish.item, self.cache.temporary()
        try:
            with file.open("wb") as into:
                received = wish.store.fetch(item, kept.mark if kept else None, into, self.limit)
            if received is None:
                return Outcome(kept)
            place, size = self.cache.take(file, item.key)
        finally:
            file.unlink(missing_ok=True)
        # Without an ETag an answer gives the time to the second, the next listing gives it finer.
        mark = received.mark if is_etag(received.mark) else item.mark or received.mark
        return Outcome(Kept(wish.place, place, size, item.modified_at or received.modified_at, mark), fetched=True)

    def _is_silent(self, place: str) -> bool:
        with self._lock:
            return self._silent.get(place, 0) >= AWAY_AFTER

    def _note(self, place: str, silent: bool) -> None:
        with self._lock:
            self._silent[place] = self._silent.get(place, 0) + 1 if silent else 0
