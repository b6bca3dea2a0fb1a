"""Schedules. They start stopped: a person switches them on."""

from collections.abc import Iterator

import dagster as dg

from kg_pipeline.orchestration.jobs import calibrate, whole_path


@dg.schedule(
    job=whole_path,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every collection, every night at two. Unchanged collections cost no model call and no graph write.",
)
def nightly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per collection."""
    yield from _one_run_each(context)


@dg.schedule(
    job=calibrate,
    cron_schedule="0 22 * * 6",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every collection, Saturdays at ten: a nightly run does not move all confidences, this one may.",
)
def weekly_calibration(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per collection."""
    yield from _one_run_each(context)


def _one_run_each(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    names = sorted(context.instance.get_dynamic_partitions("collections"))
    if not names:
        yield dg.SkipReason("no collections yet; the sensor `new_collections` adds those of the configuration")
    day = context.scheduled_execution_time.date().isoformat()
    for name in names:
        yield dg.RunRequest(partition_key=name, run_key=f"{day}:{name}")
