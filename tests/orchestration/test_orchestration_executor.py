"""The executor: a run that is cancelled takes every step with it."""

import signal
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.execution.api import execute_run_iterator
from dagster._utils.interrupts import capture_interrupts

from kg_pipeline.orchestration.executor import step_processes
from kg_pipeline.orchestration.instance import open_instance

LONG = 30
"""Seconds that the step takes when nothing ends it."""


@dg.op(pool="gpu", config_schema={"done": str})
def score(context: dg.OpExecutionContext) -> None:
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        time.sleep(0.05)
    Path(context.op_config["done"]).touch()


@dg.job(executor_def=step_processes)
def scoring() -> None:
    score()


@pytest.mark.parametrize("moment", ["STEP_WORKER_STARTING", "STEP_WORKER_STARTED", "STEP_START"])
def test_a_run_that_is_cancelled_while_a_step_begins_ends_with_it_and_frees_the_gpu(tmp_path, moment):
    done = tmp_path / "done"
    with open_instance(tmp_path) as instance, capture_interrupts():
        run = instance.create_run_for_job(scoring, run_config={"ops": {"score": {"config": {"done": str(done)}}}})
        for event in execute_run_iterator(ReconstructableJob.for_file(__file__, "scoring"), run, instance):
            if event.event_type_value == moment:
                # What Dagster does to cancel a run.
                instance.report_run_canceling(run)
                signal.raise_signal(signal.SIGINT)
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED
        assert not instance.event_log_storage.get_concurrency_info("gpu").claimed_slots
    assert not done.exists()
