"""Work on untrusted files in processes that are killed when they take too long or too much memory."""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import psutil

from kg_pipeline.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")

RECYCLED_AFTER = 200
"""Items after which a process makes room for a new one, so that what a library leaks stays bounded."""
STARTING_SECONDS = 60
"""What a process may take to start, on a busy machine, before the time of its first item counts."""


@dataclass(frozen=True)
class Killed:
    """Stands for the result of an item whose process did not live to give one."""

    why: str


def run_killable(
    task: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    workers: int,
    seconds: float,
    memory: int,
) -> list[Result | Killed]:
    """One result per item, in their order. `task`, items and results must be picklable.

    A process that works on one item for longer than `seconds` is killed; one that wants more than `memory` bytes gets
    a MemoryError, or dies of it.
    """
    done: dict[int, Result | Killed] = {}
    advance = progress(description, len(items))
    for index, result in _results(task, items, min(workers, len(items)), seconds, memory):
        done[index] = result
        advance(len(done))
    return [done[index] for index in range(len(items))]


class _Ready:
    """What a process says first."""


class _Worker:
    """A process, and the item it is at."""

    def __init__(self, task: Callable[[Any], Any], memory: int) -> None:
        # forkserver and spawn: a fork of a process with threads (polars has some) may hang.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            # Imported once there instead of in every process (see images.workers): no task here uses polars.
            context.set_forkserver_preload(["__main__", "kg_pipeline.documents"])
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs, task, memory), daemon=True)
        self._process.start()
        theirs.close()
        self.index = -1
        self.deadline = time.monotonic() + STARTING_SECONDS
        self._given = 0

    def give(self, index: int, item: object) -> None:
        self.index = index
        self._given += 1
        self.connection.send(item)

    @property
    def worn_out(self) -> bool:
        return self._given >= RECYCLED_AFTER

    def end(self, patience: float = 0) -> int | None:
        """Kill it; its exit code if it ended by itself within `patience` seconds."""
        self._process.join(patience)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        self.connection.close()
        return code


def _results(
    task: Callable[[Item], Result], items: Sequence[Item], workers: int, seconds: float, memory: int
) -> Iterator[tuple[int, Result | Killed]]:
    waiting = list(range(len(items)))[::-1]
    busy: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < workers:
                worker = _Worker(task, memory)
                busy.append(worker)
                _give_next(worker, waiting, items)
            ready = wait([worker.connection for worker in busy], max(0.0, _first_deadline(busy) - time.monotonic()))
            for worker in list(busy):
                if worker.connection in ready:
                    try:
                        result = worker.connection.recv()
                    except (EOFError, ConnectionResetError):
                        busy.remove(worker)
                        yield worker.index, Killed(_died(worker.end(patience=5)))
                        continue
                    worker.deadline = time.monotonic() + seconds
                    if isinstance(result, _Ready):
                        continue
                    yield worker.index, result
                    if waiting and not worker.worn_out:
                        _give_next(worker, waiting, items)
                        continue
                elif time.monotonic() < worker.deadline:
                    continue
                else:
                    yield worker.index, Killed(f"not done after {seconds:g} s (limits.document_seconds)")
                busy.remove(worker)
                worker.end()
    finally:
        for worker in busy:
            worker.end()


def _give_next(worker: _Worker, waiting: list[int], items: Sequence[Any]) -> None:
    index = waiting.pop()
    try:
        worker.give(index, items[index])
    except (BrokenPipeError, ConnectionResetError):
        worker.index = index  # it died while it waited; its end of the pipe says so at once


def _first_deadline(busy: list[_Worker]) -> float:
    return min(worker.deadline for worker in busy)


def _died(code: int | None) -> str:
    how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
    return f"the process that read it ended {how}, maybe out of memory (limits.document_memory)"


def _work(connection: Connection, task: Callable[[Any], Any], memory: int) -> None:
    _limit_memory(memory)
    connection.send(_Ready())
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        connection.send(task(item))


def _limit_memory(memory: int) -> None:
    """Let this process take `memory` bytes more than it has. Only Linux counts the data of a process so."""
    try:
        import resource

        data = psutil.Process().memory_info().data
        resource.setrlimit(resource.RLIMIT_DATA, (data + memory, data + memory))
    except (ImportError, AttributeError, ValueError, OSError):
        return  # on other systems the limit in time has to do
