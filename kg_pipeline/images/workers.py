"""Work on many images in several processes, with results in the order of the input and no run lost to one crash."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from kg_pipeline.images.errors import ImageError
from kg_pipeline.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = Callable[[Item], Result]

FEW = 64
"""Items up to which starting processes (about 1 s) costs more than it saves, for work of milliseconds."""
MAX_CRASHES = 4
"""Items that may each kill a process before the machine, not the items, is to blame."""

_task: Task[Any, Any] | None = None


class Crash:
    """Stands for the result of an item whose work killed its process, time after time."""


def default_workers() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    make_task: Callable[[], Task[Item, Result]],
    items: Sequence[Item],
    description: str,
    workers: int | None = None,
    batch: int = 32,
    few: int = FEW,
) -> list[Result | Crash]:
    """One result per item, in their order, whatever the number of workers.

    `make_task` is called once in each process and must be picklable, as must items and results. Up to `few` items
    are worked on in this process. Raises ImageError when processes keep dying.
    """
    if not items:
        return []
    workers = default_workers() if workers is None else max(1, workers)
    done: dict[int, Result | Crash] = {}
    advance = progress(description, len(items))
    if workers == 1 or len(items) <= few:
        task = make_task()
        for index, item in enumerate(items):
            done[index] = task(item)
            advance(len(done))
        return list(done.values())
    # A process may be killed by chance (out of memory, an operator): once more for everything that is missing. When
    # that breaks as well, one by one, so that it is known which item does it.
    for crowd, size in ((workers, batch), (workers, 1)):
        for indices, results in _attempt(make_task, items, _missing(items, done), crowd, size):
            done.update(zip(indices, results, strict=True))
            advance(len(done))
        if len(done) == len(items):
            return [done[index] for index in range(len(items))]
    crashes = 0
    while missing := _missing(items, done):
        for indices, results in _attempt(make_task, items, missing, 1, 1):
            done.update(zip(indices, results, strict=True))
            advance(len(done))
        if missing := _missing(items, done):
            done[missing[0]] = Crash()
            crashes += 1
        if crashes > MAX_CRASHES:
            raise ImageError(
                f"{description}: worker processes keep dying, lastly at {items[missing[0]]}; "
                "look for the kernel's out-of-memory messages, then try with fewer workers"
            )
    return [done[index] for index in range(len(items))]


def _missing(items: Sequence[Item], done: dict[int, Any]) -> list[int]:
    return [index for index in range(len(items)) if index not in done]


def _attempt(
    make_task: Callable[[], Task[Item, Result]], items: Sequence[Item], indices: list[int], workers: int, batch: int
) -> Iterator[tuple[list[int], list[Result]]]:
    """Results as they come, until all are there or a process dies. A lone worker goes through them in order."""
    # forkserver and spawn: a fork of a process with threads (polars has some) may hang.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        # Imported once there instead of in every worker (1 s each, 5 s on a busy machine). Sound as long as tasks leave
        # polars alone, whose threads a fork does not have.
        context.set_forkserver_preload(["__main__", "kg_pipeline.images"])
    batches = [indices[start : start + batch] for start in range(0, len(indices), batch)]
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(make_task,)) as pool:
        futures: dict[Future[list[Result]], list[int]] = {}
        try:
            for part in batches:
                futures[pool.submit(_work, [items[index] for index in part])] = part
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            return
        finally:
            # An interrupted run must not work off its queue first; OCR's may be hours long.
            pool.shutdown(cancel_futures=True)


def _begin(make_task: Callable[[], Task[Any, Any]]) -> None:
    global _task  # noqa: PLW0603 (a pool has no other way to hand a worker its state)
    _task = make_task()


def _work(items: list[Any]) -> list[Any]:
    assert _task is not None
    return [_task(item) for item in items]
