"""A command that was killed: its run is over, and its pool slots are free."""

import subprocess
import sys

import dagster as dg
import psutil
import pytest

from kg_pipeline.orchestration import dead_runs
from kg_pipeline.orchestration.dead_runs import PROCESS_TAG, is_dead, process_tag, release_dead_runs
from kg_pipeline.orchestration.instance import open_instance

STARTED = dg.DagsterRunStatus.STARTED


@dg.op
def score() -> int:
    return 1


@dg.job
def scoring() -> None:
    score()


@pytest.fixture
def instance(tmp_path):
    with open_instance(tmp_path) as instance:
        yield instance


def run_holding_the_gpu(instance: dg.DagsterInstance, process: str | None, status=STARTED) -> dg.DagsterRun:
    run = instance.create_run_for_job(scoring, status=status)
    if process:
        instance.add_run_tags(run.run_id, {PROCESS_TAG: f"{run.run_id}@{process}"})
    instance.event_log_storage.initialize_concurrency_limit_to_default("gpu")
    instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "score")
    return run


def holders(instance: dg.DagsterInstance) -> set[str]:
    return {slot.run_id for slot in instance.event_log_storage.get_concurrency_info("gpu").claimed_slots}


def this_process() -> str:
    return process_tag("")[PROCESS_TAG].removeprefix("@")


@pytest.fixture(scope="module")
def a_process_that_ended() -> str:
    script = "from kg_pipeline.orchestration.dead_runs import process_tag; print(*process_tag('').values())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("@")


def test_the_run_of_a_killed_process_is_over_and_its_slot_is_free(instance, a_process_that_ended):
    run = run_holding_the_gpu(instance, a_process_that_ended)
    assert holders(instance) == {run.run_id}
    assert release_dead_runs(instance) == 1
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert holders(instance) == set()


def test_the_slot_of_a_run_that_was_ended_by_others_is_free_too(instance, a_process_that_ended):
    run_holding_the_gpu(instance, a_process_that_ended, dg.DagsterRunStatus.CANCELED)
    assert release_dead_runs(instance) == 0
    assert holders(instance) == set()


@pytest.mark.parametrize("process", [this_process(), "another-host:1:0.0", None], ids=["this one", "elsewhere", "none"])
def test_a_run_that_may_be_alive_keeps_its_slot(instance, process):
    run = run_holding_the_gpu(instance, process)
    assert release_dead_runs(instance) == 0
    assert instance.get_run_by_id(run.run_id).status is STARTED
    assert holders(instance) == {run.run_id}


def test_a_clock_that_is_set_ends_no_run(instance, monkeypatch):
    run = run_holding_the_gpu(instance, this_process())
    since = psutil.boot_time()
    # When the machine was started, by its clock: it moves with every correction of the clock.
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: since + 1)
    assert release_dead_runs(instance) == 0
    assert holders(instance) == {run.run_id}


def test_a_run_that_ends_while_it_is_looked_at_has_succeeded(instance, a_process_that_ended, monkeypatch):
    run = run_holding_the_gpu(instance, a_process_that_ended)

    def ends_meanwhile(looked_at: dg.DagsterRun) -> bool:
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", "scoring"), run.run_id)
        return is_dead(looked_at)

    monkeypatch.setattr(dead_runs, "is_dead", ends_meanwhile)
    assert release_dead_runs(instance) == 0
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.SUCCESS


def test_a_re_execution_with_the_tags_of_its_dead_parent_is_not_ended(instance, a_process_that_ended):
    parent = run_holding_the_gpu(instance, a_process_that_ended)
    assert release_dead_runs(instance) == 1
    tags = instance.get_run_by_id(parent.run_id).tags
    again = instance.create_run_for_job(scoring, tags=tags, status=dg.DagsterRunStatus.STARTING)
    assert release_dead_runs(instance) == 0
    assert instance.get_run_by_id(again.run_id).status is dg.DagsterRunStatus.STARTING
