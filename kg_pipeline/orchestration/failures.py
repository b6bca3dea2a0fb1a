"""Why a run failed, in the words of the domain and not in those of Dagster around them."""

import re

import dagster as dg

INTERRUPTED = "interrupted; what was done is kept, run again to go on"


def failure_message(event: dg.DagsterEvent) -> str:
    """What the domain said: the first error in the chain that is not Dagster's wrapping."""
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    if error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return INTERRUPTED
    while error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    if error is None:
        return "no reason was recorded"
    return re.sub(r"^kg_pipeline\.[\w.]+: ", "", error.message.strip())


def failure_of_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, str]:
    """The step that failed first (empty when the run's process died) and why."""
    entries = instance.all_logs(run.run_id, of_type={dg.DagsterEventType.STEP_FAILURE})
    for entry in entries:
        if entry.dagster_event:
            return entry.dagster_event.step_key or "", failure_message(entry.dagster_event)
    ends = instance.all_logs(run.run_id, of_type={dg.DagsterEventType.RUN_FAILURE})
    messages = [entry.dagster_event.message for entry in ends if entry.dagster_event and entry.dagster_event.message]
    return "", (messages or ["no reason was recorded"])[-1]
