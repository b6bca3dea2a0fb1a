"""The executor: a process per step, a run that says which process it is, and nothing left of a run that was ended."""

import signal
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, cast

import dagster as dg

from kg_pipeline.orchestration.dead_runs import process_tag
from kg_pipeline.orchestration.pools import ensure_pools

# Forked from a server that has imported what is slow to import: spawning each anew takes seconds per step, and a run
# has a dozen. Not polars: it starts threads when imported, and a fork does not take those along.
PRELOADED = ["kg_pipeline.orchestration.dies_with_parent", "dagster", "neo4j", "scipy.sparse"]
DEFAULTS = {"start_method": {"forkserver": {"preload_modules": PRELOADED}}}


class StepProcesses(dg.Executor):
    """Dagster's executor of a process per step, and what a killed or cancelled run needs to end whole."""

    def __init__(self, steps: dg.Executor) -> None:
        self._steps = steps

    @property
    def retries(self) -> Any:
        """As Dagster's."""
        return self._steps.retries

    def execute(self, plan_context, execution_plan) -> Iterator[dg.DagsterEvent]:  # type: ignore[no-untyped-def]
        """Tag the run with this process, see to its pools, execute its steps, free what they held."""
        instance, run_id = plan_context.instance, plan_context.run_id
        instance.add_run_tags(run_id, process_tag(run_id))
        ensure_pools(instance, (step.pool for step in execution_plan.steps if step.pool))
        steps = cast("Generator[dg.DagsterEvent]", self._steps.execute(plan_context, execution_plan))
        try:
            with closing(steps) as events:
                for event in events:
                    yield event
                    if event.event_type is dg.DagsterEventType.STEP_WORKER_STARTED and _is_cancelled(instance, run_id):
                        # Dagster forwards an interrupt once, to the processes that it knows by then: a step that is
                        # just being started would not hear of it, and score for hours in a run that is over.
                        signal.raise_signal(signal.SIGINT)
        finally:
            # Dagster leaves the slot of a cancelled step, as it cannot know whether the step has ended. Here it has:
            # the executor joins its processes, and they die with this one.
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _is_cancelled(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}


def _step_processes(context: dg.InitExecutorContext) -> StepProcesses:
    create = dg.multiprocess_executor.executor_creation_fn
    assert create is not None
    return StepProcesses(create(context))


step_processes = dg.ExecutorDefinition(
    name="step_processes",
    config_schema=dg.multiprocess_executor.config_schema.as_field(),
    requirements=dg.multiple_process_executor_requirements(),
    executor_creation_fn=_step_processes,
).configured(DEFAULTS, name="step_processes")
