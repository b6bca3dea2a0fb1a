"""Progress of long work: domain code reports it here, whoever runs the domain decides how it is shown."""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class ProgressSink(Protocol):
    """Shows progress somewhere: a terminal, a log."""

    def update(self, description: str, done: int, total: int | None) -> None:
        """`done` of `total` items of the work called `description` are finished."""


_sink: ContextVar[ProgressSink | None] = ContextVar("progress_sink", default=None)


@contextmanager
def show_progress(sink: ProgressSink) -> Iterator[None]:
    """Send the progress of everything inside the block to `sink`."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def is_shown() -> bool:
    """Whether somebody shows progress already."""
    return _sink.get() is not None


def progress(description: str, total: int | None = None) -> Callable[[int], None]:
    """A function to call with the number of items done so far."""
    sink = _sink.get()
    if sink is None:
        return lambda done: None
    sink.update(description, 0, total)
    return lambda done: sink.update(description, done, total)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items`, reporting each one when the caller is done with it."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    advance = progress(description, total)
    for done, item in enumerate(items, start=1):
        yield item
        advance(done)
