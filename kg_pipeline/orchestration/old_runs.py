"""How long the history of runs is kept: without this it grows for ever, by a database file and log files a run."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

KEPT_FOR = timedelta(days=90)
RETENTION_VARIABLE = "KG_PIPELINE_RUN_RETENTION_DAYS"
KEPT_OF_A_KIND, KEPT_SUCCESSES = 10, 3
"""Runs of the same assets of the same collection that stay however old they are. The last of them says what Dagster
knows of the state of these assets: when it goes, they look as if they had never been materialized."""
MOST_PER_TICK = 500

Kind = tuple[str, str, frozenset[dg.AssetKey] | None]


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Deletes the history of runs older than {KEPT_FOR.days} days, or {RETENTION_VARIABLE}.",
)
def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never requests a run; the reason of the tick says what it found."""
    days = os.environ.get(RETENTION_VARIABLE)
    kept_for = timedelta(days=float(days)) if days else KEPT_FOR
    return dg.SkipReason(f"{delete_old_runs(context.instance, datetime.now(UTC) - kept_for)} old runs deleted")


def delete_old_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete runs that were created before that time, with their events and logs, but for the last of each kind."""
    deleted = 0
    for run in _superseded(instance, before):
        if deleted == MOST_PER_TICK:
            break
        instance.compute_log_manager.delete_logs(prefix=[run.run_id, "compute_logs"])
        instance.delete_run(run.run_id)
        deleted += 1
    return deleted


def _superseded(instance: dg.DagsterInstance, before: datetime) -> Iterator[dg.DagsterRun]:
    if not instance.get_run_records(dg.RunsFilter(created_before=before), limit=1):
        return
    newer: Counter[Kind] = Counter()
    newer_successes: Counter[Kind] = Counter()
    for record in instance.get_run_records():  # newest first
        run = record.dagster_run
        selection = frozenset(run.asset_selection) if run.asset_selection else None
        kind = (run.tags.get("dagster/partition", ""), run.job_name, selection)
        is_kept = newer[kind] < KEPT_OF_A_KIND or (run.is_success and newer_successes[kind] < KEPT_SUCCESSES)
        newer[kind] += 1
        newer_successes[kind] += run.is_success
        if run.is_finished and not is_kept and record.create_timestamp < before:
            yield run
