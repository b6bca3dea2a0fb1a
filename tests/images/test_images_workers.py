import os
import signal
from functools import partial
from pathlib import Path

import pytest

from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.workers import Crash, run
from kg_pipeline.progress import show_progress


def make_double():
    return lambda item: 2 * item


class DieOnce:
    """Kills its process at the item 13, the first time."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, item: int) -> int:
        if item == 13 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * item


def make_die_at_13():
    def work(item: int) -> int:
        if item == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * item

    return work


def make_die_always():
    return lambda item: os.kill(os.getpid(), signal.SIGKILL)


class Sink:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int | None]] = []

    def update(self, description, done, total):
        self.seen.append((description, done, total))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_stand_in_the_order_of_the_items(workers):
    assert run(make_double, range(100), "doubling", workers, batch=7, few=10) == [2 * item for item in range(100)]


def test_few_items_need_no_process():
    assert run(lambda: lambda item: os.getpid(), range(3), "x", workers=2) == [os.getpid()] * 3


def test_no_items_no_results():
    assert run(make_double, [], "x") == []


def test_a_process_killed_by_chance_loses_nothing(tmp_path):
    results = run(partial(DieOnce, tmp_path / "mark"), range(40), "x", workers=2, batch=4, few=0)
    assert results == [2 * item for item in range(40)]


def test_an_item_that_always_kills_its_process_costs_only_itself():
    results = run(make_die_at_13, range(30), "x", workers=2, batch=4, few=0)
    assert isinstance(results[13], Crash)
    assert results[:13] + results[14:] == [2 * item for item in range(30) if item != 13]


def test_when_every_process_dies_the_run_ends_with_an_error():
    with pytest.raises(ImageError, match="keep dying"):
        run(make_die_always, range(30), "reading images", workers=2, few=0)


def test_an_error_of_our_own_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        run(make_divide, range(30), "x", workers=2, few=0)


def make_divide():
    return lambda item: 1 / item


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_is_reported_to_the_end(workers):
    sink = Sink()
    with show_progress(sink):
        run(make_double, range(20), "doubling", workers, batch=5, few=0)
    assert sink.seen[0] == ("doubling", 0, 20)
    assert sink.seen[-1] == ("doubling", 20, 20)
