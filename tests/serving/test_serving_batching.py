"""The queue before the scorer: who shares a turn, who is dropped, who is refused, and what a failure does."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest
from served import HashScorer, hash_log_odds

from kg_pipeline.reranking import RerankerError
from kg_pipeline.serving import Picture, RequestLimits
from kg_pipeline.serving.batching import Batcher, Job
from kg_pipeline.serving.errors import DeadlineError, OverloadedError, UnavailableError
from kg_pipeline.serving.groups import PictureTexts


def groups(name: str, count: int = 1, texts: tuple[str, ...] = ("a text",)) -> list[PictureTexts]:
    return [PictureTexts(Picture(f"{name}{number}", f"{name}{number}".encode()), texts) for number in range(count)]


def in_a_minute() -> float:
    return time.monotonic() + 60


@pytest.fixture
def make_batcher() -> Iterator[Callable[..., Batcher]]:
    """A queue before a scorer, which is held at its first turn until its gate is opened."""
    made: list[tuple[Batcher, HashScorer]] = []

    def make(scorer: HashScorer, *, hold: bool = True, **limits) -> Batcher:
        batcher = Batcher(scorer, RequestLimits(**limits))
        made.append((batcher, scorer))
        if hold:
            scorer.gate.clear()
            batcher.submit("text-to-image", groups("first"), in_a_minute())
            while not scorer.turns:
                time.sleep(0.001)
        return batcher

    yield make
    for batcher, scorer in made:
        scorer.gate.set()
        batcher.close()


def results(jobs: list[Job]) -> list[list[float | None]]:
    return [[log_odds for scores in job.future.result(20) for log_odds in scores.log_odds] for job in jobs]


def test_what_waits_shares_a_turn_and_everybody_gets_their_own_scores(make_batcher: Callable) -> None:
    scorer = HashScorer()
    batcher = make_batcher(scorer)
    jobs = [
        batcher.submit("text-to-image", groups("same", 2, (f"text {client}",)), in_a_minute()) for client in range(20)
    ]
    scorer.gate.set()
    for client, found in enumerate(results(jobs)):
        assert found == [hash_log_odds(f"same{number}".encode(), f"text {client}") for number in range(2)]
    assert [len(turn) for turn in scorer.turns] == [1, 40]


def test_a_large_request_does_not_hold_up_a_small_one(make_batcher: Callable) -> None:
    scorer = HashScorer(pairs_at_once=10)
    batcher = make_batcher(scorer)
    large = batcher.submit("text-to-image", groups("large", 100), in_a_minute())
    small = batcher.submit("text-to-image", groups("small", 2), in_a_minute())
    scorer.gate.set()
    results([large, small])
    turn_of_small = [at for at, turn in enumerate(scorer.turns) if any(name.startswith("small") for name, _ in turn)]
    assert turn_of_small == [1]
    assert [name for turn in scorer.turns for name, _ in turn if name.startswith("large")] == [
        f"large{number}" for number in range(100)
    ]


def test_the_directions_do_not_share_a_turn(make_batcher: Callable) -> None:
    scorer = HashScorer()
    batcher = make_batcher(scorer)
    jobs = [
        batcher.submit(direction, groups(f"{direction}{number}"), in_a_minute())
        for number in range(3)
        for direction in ("text-to-image", "image-to-text")
    ]
    scorer.gate.set()
    results(jobs)
    assert [len({name[:5] for name, _ in turn}) for turn in scorer.turns] == [1, 1, 1]


def test_what_nobody_waits_for_is_never_scored(make_batcher: Callable) -> None:
    scorer = HashScorer()
    batcher = make_batcher(scorer)
    cancelled = batcher.submit("text-to-image", groups("cancelled"), in_a_minute())
    late = batcher.submit("text-to-image", groups("late"), time.monotonic() + 0.01)
    wanted = batcher.submit("text-to-image", groups("wanted"), in_a_minute())
    cancelled.future.cancel()
    time.sleep(0.02)
    scorer.gate.set()
    results([wanted])
    with pytest.raises(CancelledError):
        cancelled.future.result(1)
    with pytest.raises(DeadlineError, match="no answer within"):
        late.future.result(1)
    assert [name for turn in scorer.turns for name, _ in turn] == ["first0", "wanted0"]


def test_a_full_queue_refuses_and_takes_again_when_it_is_empty(make_batcher: Callable) -> None:
    scorer = HashScorer()
    batcher = make_batcher(scorer, waiting_pairs=10)
    jobs = [batcher.submit("text-to-image", groups("some", 5), in_a_minute()) for _ in range(2)]
    with pytest.raises(OverloadedError) as refused:
        batcher.submit("text-to-image", groups("more"), in_a_minute())
    assert int(refused.value.headers["Retry-After"]) >= 1
    scorer.gate.set()
    results(jobs)
    assert batcher.waiting_jobs == batcher.waiting_pairs == 0
    results([batcher.submit("text-to-image", groups("more", 50), in_a_minute())])


def test_pictures_that_wait_hold_a_bounded_number_of_bytes(make_batcher: Callable) -> None:
    batcher = make_batcher(HashScorer(), waiting_bytes=1_000)
    large = [PictureTexts(Picture("large", b"x" * 900), ("a text",))]
    batcher.submit("text-to-image", large, in_a_minute())
    with pytest.raises(OverloadedError):
        batcher.submit("text-to-image", large, in_a_minute())


def test_a_reranker_that_fails_fails_the_jobs_of_that_turn_only(make_batcher: Callable) -> None:
    scorer = HashScorer()
    scorer.failure = RerankerError("/secret/path: the device is lost")
    batcher = make_batcher(scorer, hold=False)
    failed = batcher.submit("text-to-image", groups("failed"), in_a_minute())
    with pytest.raises(UnavailableError) as told:
        failed.future.result(20)
    assert "secret" not in str(told.value)
    scorer.failure = None
    results([batcher.submit("text-to-image", groups("next"), in_a_minute())])


def test_a_bug_in_the_scorer_is_told_to_all_and_stops_the_queue(make_batcher: Callable) -> None:
    scorer = HashScorer()
    scorer.failure = ZeroDivisionError("a bug")
    batcher = make_batcher(scorer, hold=False)
    with pytest.raises(UnavailableError):
        batcher.submit("text-to-image", groups("any"), in_a_minute()).future.result(20)
    assert not batcher.is_open
    with pytest.raises(UnavailableError):
        batcher.submit("text-to-image", groups("next"), in_a_minute())


def test_closing_finishes_what_waits_and_refuses_what_comes(make_batcher: Callable) -> None:
    scorer = HashScorer(pairs_at_once=1)
    batcher = make_batcher(scorer, hold=False)
    jobs = [batcher.submit("text-to-image", groups(f"job{number}"), in_a_minute()) for number in range(20)]
    batcher.close(drain_seconds=20)
    assert len(results(jobs)) == 20
    with pytest.raises(UnavailableError, match="stopping"):
        batcher.submit("text-to-image", groups("late"), in_a_minute())


def test_progress_is_told_after_every_turn(make_batcher: Callable) -> None:
    told: list[tuple[int, int]] = []
    batcher = make_batcher(HashScorer(pairs_at_once=2), hold=False)
    job = batcher.submit("text-to-image", groups("job", 5), in_a_minute(), lambda done, all_: told.append((done, all_)))
    results([job])
    assert told == [(2, 5), (4, 5), (5, 5)]
