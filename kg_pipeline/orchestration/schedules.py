"""Schedules. They start stopped: a person switches them on."""

import time
from collections.abc import Iterator

import dagster as dg

from kg_pipeline.config import ConfigError
from kg_pipeline.inputs import scan_inputs
from kg_pipeline.orchestration.changed_files import contents_memory
from kg_pipeline.orchestration.jobs import calibrate, whole_path
from kg_pipeline.orchestration.latch import INPUT_TAG, history
from resources.collections import Collections
from resources.tables import Tables

SECONDS_PER_TICK = 30.0
"""For reading the files of collections whose last run failed. Dagster ends a tick after 60 s."""


@dg.schedule(
    job=whole_path,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every collection, every night at two. Unchanged collections cost no model call and no graph write.",
)
def nightly(
    context: dg.ScheduleEvaluationContext, collections: Collections, tables: Tables
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per collection, but for those whose last one still goes on or whose input failed again and again."""
    requested, day = 0, _day(context)
    until = time.monotonic() + SECONDS_PER_TICK
    for name in _names(context):
        past = history(context.instance, name)
        fingerprint = _fingerprint(name, collections, tables, until) if past.ended_badly else None
        if past.is_busy or (fingerprint and past.is_held_back(fingerprint)):
            continue
        requested += 1
        tags = {INPUT_TAG: fingerprint} if fingerprint else {}
        yield dg.RunRequest(partition_key=name, run_key=f"{day}:{name}", tags=tags)
    if not requested:
        yield dg.SkipReason("no collection, or each still runs or is held back after failures of the same input")


@dg.schedule(
    job=calibrate,
    cron_schedule="0 22 * * 6",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every collection, Saturdays at ten: a nightly run does not move all confidences, this one may.",
)
def weekly_calibration(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per collection."""
    names, day = _names(context), _day(context)
    if not names:
        yield dg.SkipReason("no collections yet; the sensor `new_collections` adds those of the configuration")
    for name in names:
        yield dg.RunRequest(partition_key=name, run_key=f"{day}:{name}")


def _names(context: dg.ScheduleEvaluationContext) -> list[str]:
    return sorted(context.instance.get_dynamic_partitions("collections"))


def _day(context: dg.ScheduleEvaluationContext) -> str:
    return context.scheduled_execution_time.date().isoformat()


def _fingerprint(name: str, collections: Collections, tables: Tables, until: float) -> str | None:
    """What a run would read now; None where that cannot be said, and then the run will say why."""
    try:
        collection = collections.get(name)
    except ConfigError:
        return None
    return scan_inputs(collection, contents_memory(tables.root, name), until).fingerprint
