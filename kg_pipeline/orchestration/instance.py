"""The Dagster instance of a HOME: run history, partitions and settings under HOME/dagster."""

import os
import socket
from pathlib import Path

import dagster as dg
import psutil

PROCESS_TAG = "kg-pipeline/process"
"""Tag of a run that executes in the process of a command: host, pid and start of that process."""

# The gpu pool holds one step at a time unless somebody raises it to the number of cards; the queue counts steps, not
# runs. `nux` is the newsletter window that would cover the UI at its first visit.
DAGSTER_YAML = """\
concurrency:
  pools:
    default_limit: 1
    granularity: op
  runs: {max_concurrent_runs: 4}
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 300
retention:
  schedule: {purge_after_days: 90}
  sensor: {purge_after_days: {skipped: 3, success: 14}}
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


def this_process() -> str:
    """Value of PROCESS_TAG for this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time()}"


def release_dead_runs(instance: dg.DagsterInstance) -> int:
    """Report runs as failed whose command was killed on this host, and free the pool slots they hold; how many.

    Dagster watches runs of its own launcher only: the slot of a killed command would block the next run for ever.
    """
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
    dead = [run for run in instance.get_runs(unfinished) if _is_dead(run.tags.get(PROCESS_TAG))]
    for run in dead:
        instance.report_run_failed(run, "the process that executed this run was killed")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)


def _is_dead(process: str | None) -> bool:
    if process is None:
        return False
    host, pid, created = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        # A pid is used again sooner or later: the start time tells the old process from the new one.
        return str(psutil.Process(int(pid)).create_time()) != created
    except psutil.NoSuchProcess:
        return True
