"""Two runs in two threads that take turns, a transaction at a time, in an order that a test chooses."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import neo4j

from kg_pipeline.graph import Connection

WAIT_SECONDS = 60.0


@dataclass
class Turns:
    """Whose turn it is: `order` names who may do the next transaction; after its end everybody may."""

    order: Sequence[int]
    position: int = 0
    finished: set[int] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, runner: int) -> None:
        """Wait for the turn of `runner`."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._next() in {runner, None}, WAIT_SECONDS), "nobody moves"

    def done(self) -> None:
        """The transaction whose turn it was has ended."""
        with self.changed:
            self.position += 1
            self.changed.notify_all()

    def finish(self, runner: int) -> None:
        """`runner` needs no turn any more."""
        with self.changed:
            self.finished.add(runner)
            self.changed.notify_all()

    def _next(self) -> int | None:
        while self.position < len(self.order) and self.order[self.position] in self.finished:
            self.position += 1
        return self.order[self.position] if self.position < len(self.order) else None


def taking_turns(connection: Connection, turns: Turns, runner: int) -> Connection:
    """The same connection, a transaction of which begins when it is the turn of `runner`."""
    return replace(connection, driver=_Driver(connection.driver, turns, runner))


def in_turns(turns: Turns, *runs: Callable[[], Any]) -> list[Any]:
    """Run each of `runs` in a thread of its own; results, or the exception that ended it."""
    results: list[Any] = [None] * len(runs)

    def run(runner: int) -> None:
        try:
            results[runner] = runs[runner]()
        except Exception as error:  # noqa: BLE001 - given to the test
            results[runner] = error
        finally:
            turns.finish(runner)

    threads = [threading.Thread(target=run, args=(runner,)) for runner in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT_SECONDS)
        assert not thread.is_alive()
    return results


@dataclass
class _Driver:
    real: neo4j.Driver
    turns: Turns
    runner: int

    def session(self, **settings: Any) -> "_Session":
        return _Session(self.real.session(**settings), self.turns, self.runner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass
class _Session:
    """A session of one transaction, as Connection uses them: its turn is from the entry to the exit."""

    real: neo4j.Session
    turns: Turns
    runner: int

    def __enter__(self) -> neo4j.Session:
        self.turns.take(self.runner)
        return self.real.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.real.__exit__(*error)
        self.turns.done()
