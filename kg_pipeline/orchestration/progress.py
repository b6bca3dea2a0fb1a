"""Progress in the run's log: a line every few seconds, so that a long step is seen to live."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from kg_pipeline.progress import is_shown, show_progress

SECONDS_BETWEEN_LINES = 10.0


class LogProgress:
    """Writes progress to the log of an asset's run."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._log = context.log
        self._last = time.monotonic()

    def update(self, description: str, done: int, total: int | None) -> None:
        """Log when the last line is old enough."""
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self._log.info("%s: %d of %s", description, done, total if total is not None else "?")


@contextmanager
def logged_progress(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Show progress in the log, unless somebody (the command line) shows it already."""
    if is_shown():
        yield
        return
    with show_progress(LogProgress(context)):
        yield
