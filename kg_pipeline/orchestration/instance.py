"""The Dagster instance of a HOME: run history, partitions and settings under HOME/dagster."""

from pathlib import Path

import dagster as dg

# The gpu pool holds one step at a time unless somebody raises it to the number of cards; the queue counts steps, not
# runs. A collection has one run at a time, and so one writer: the names of pools are fixed, it cannot have its own.
# `nux` is the newsletter window that would cover the UI at its first visit.
DAGSTER_YAML = """\
concurrency:
  pools:
    default_limit: 1
    granularity: op
  runs:
    max_concurrent_runs: 4
    tag_concurrency_limits: [{key: dagster/partition, value: {applyLimitPerUniqueValue: true}, limit: 1}]
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 300
retention:
  schedule: {purge_after_days: 90}
  sensor: {purge_after_days: {skipped: 3, success: 14, failure: 14, started: 14}}
nux: {enabled: false}
telemetry: {enabled: false}
"""


def dagster_home(home: Path) -> Path:
    """HOME/dagster with a dagster.yaml; one that is there already is left as it is."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "dagster.yaml"
    if not settings.exists():
        settings.write_text(DAGSTER_YAML, encoding="utf-8")
    return folder


def open_instance(home: Path) -> dg.DagsterInstance:
    """The instance of a HOME; close it by `with`."""
    return dg.DagsterInstance.from_config(str(dagster_home(home)))
