"""The sensor that tells people: one digest for all that failed and all new orphans since the last one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from kg_pipeline.config import Settings
from kg_pipeline.notifications import Digest, FailedCollection, OrphanFound, Webhook, new_orphans, remember_told
from kg_pipeline.orchestration.changed_files import read_seen
from kg_pipeline.orchestration.failures import failure_of_run
from kg_pipeline.storage import TableStore
from resources.tables import Tables

WINDOW = timedelta(minutes=15)
SETTLED = timedelta(seconds=5)
"""A run's end is in the database a moment after the time that it bears."""
MESSAGE_LENGTH = 500


@dg.sensor(
    minimum_interval_seconds=int(WINDOW.total_seconds()),
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Posts failures, new orphans with suggestions, and what is held back to KG_PIPELINE_WEBHOOK_URL.",
)
def digest(context: dg.SensorEvaluationContext, tables: Tables) -> dg.SensorResult | dg.SkipReason:
    """Collect and post; when the webhook does not take it the tick fails, and the next one tells the same and more."""
    settings = Settings()
    if not settings.webhook_url.get_secret_value():
        return dg.SkipReason("KG_PIPELINE_WEBHOOK_URL is not set: nobody is told")
    webhook = Webhook(settings.webhook_url, settings.webhook_format)
    until = datetime.now(UTC) - SETTLED
    since, told = _read(context.cursor, until)
    ended = _ended(context.instance, since, until)
    succeeded = sorted({_partition(record) for record in ended if record.dagster_run.is_success} - {""})
    store, problems = TableStore(tables.root), _problems(tables.root)
    found = Digest(
        since,
        until,
        failures=_failures(context.instance, ended, settings.dagster_url),
        orphans=_orphans(store, succeeded),
        problems=[problem for problem in problems if problem[:MESSAGE_LENGTH] not in told],
    )
    if not found.is_empty:
        webhook.post(found)
    for collection in succeeded:
        remember_told(store.read("orphan_images", collection), collection, tables.root)
    cursor = "\n".join([until.isoformat(), *(problem[:MESSAGE_LENGTH] for problem in problems)])
    return dg.SensorResult(cursor=cursor, skip_reason=f"told of {len(ended)} runs: {found.summary}")


def _read(cursor: str | None, until: datetime) -> tuple[datetime, set[str]]:
    """Until when, and of which problems, people were told. The first digest is of one window."""
    if not cursor:
        return until - WINDOW, set()
    moment, *problems = cursor.split("\n")
    return datetime.fromisoformat(moment), set(problems)


def _ended(instance: dg.DagsterInstance, since: datetime, until: datetime) -> list[dg.RunRecord]:
    """Runs of collections that ended in that time, in the order of their ends."""
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    records = instance.get_run_records(dg.RunsFilter(statuses=finished, updated_after=since - SETTLED))
    return sorted(
        (record for record in records if since.timestamp() < (record.end_time or 0) <= until.timestamp()),
        key=lambda record: (record.end_time or 0, record.dagster_run.run_id),
    )


def _failures(
    instance: dg.DagsterInstance, ended: Sequence[dg.RunRecord], dagster_url: str | None
) -> list[FailedCollection]:
    """The last failure of each collection that failed, and how many there were."""
    by_collection: dict[str, list[dg.RunRecord]] = {}
    for record in ended:
        if not record.dagster_run.is_success:
            by_collection.setdefault(_partition(record) or record.dagster_run.job_name, []).append(record)
    failed = []
    for collection, records in sorted(by_collection.items()):
        run = records[-1].dagster_run
        step, message = failure_of_run(instance, run)
        link = f"{dagster_url.rstrip('/')}/runs/{run.run_id}" if dagster_url else None
        failed.append(FailedCollection(collection, len(records), step, message[:MESSAGE_LENGTH], link))
    return failed


def _orphans(store: TableStore, collections: Sequence[str]) -> list[OrphanFound]:
    found = [
        orphan
        for collection in collections
        for orphan in new_orphans(store.read("orphan_images", collection), collection, store.home)
    ]
    return sorted(found, key=lambda orphan: (-(orphan.confidence or 0), orphan.collection, orphan.image))


def _problems(home: Path) -> list[str]:
    return [entry.problem for _, entry in sorted(read_seen(home).items()) if entry.problem]


def _partition(record: dg.RunRecord) -> str:
    return record.dagster_run.tags.get("dagster/partition", "")
