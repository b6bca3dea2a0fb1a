"""A command that was killed: its run is over, and its pool slots are free."""

import subprocess
import sys

import dagster as dg
import pytest

from kg_pipeline.orchestration.instance import PROCESS_TAG, open_instance, release_dead_runs, this_process

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


def run_holding_the_gpu(instance: dg.DagsterInstance, process: str | None) -> dg.DagsterRun:
    tags = {PROCESS_TAG: process} if process else {}
    run = instance.create_run_for_job(scoring, tags=tags, status=STARTED)
    instance.event_log_storage.initialize_concurrency_limit_to_default("gpu")
    instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "score")
    return run


def holders(instance: dg.DagsterInstance) -> set[str]:
    return {slot.run_id for slot in instance.event_log_storage.get_concurrency_info("gpu").claimed_slots}


def a_process_that_ended() -> str:
    script = "from kg_pipeline.orchestration.instance import this_process; print(this_process())"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_the_run_of_a_killed_command_is_over_and_its_slot_is_free(instance):
    run = run_holding_the_gpu(instance, a_process_that_ended())
    assert holders(instance) == {run.run_id}
    assert release_dead_runs(instance) == 1
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert holders(instance) == set()


@pytest.mark.parametrize("process", [this_process(), "another-host:1:0.0", None])
def test_a_run_that_may_be_alive_keeps_its_slot(instance, process):
    run = run_holding_the_gpu(instance, process)
    assert release_dead_runs(instance) == 0
    assert instance.get_run_by_id(run.run_id).status is STARTED
    assert holders(instance) == {run.run_id}
