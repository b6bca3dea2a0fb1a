"""Runs whose process was killed: recognized by the process they name in a tag, ended, their pool slots freed."""

import os
import socket
from collections.abc import Iterator

import dagster as dg
import psutil

PROCESS_TAG = "kg-pipeline/process"
"""Tag of a run: host, pid and start of the process that executes it."""

UNFINISHED = dg.RunsFilter(
    statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
)


def process_tag(run_id: str) -> dict[str, str]:
    """The tag of a run that this process executes. It names the run too: a re-execution copies its parent's tags."""
    return {PROCESS_TAG: f"{run_id}@{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time()}"}


def release_dead_runs(instance: dg.DagsterInstance) -> int:
    """Report runs as failed whose process was killed on this host, and free the pool slots they hold; how many.

    Dagster's default launcher watches the runs of a code server only while that server lives: after a power cut, or a
    killed command, the run would count as running, and its slot would block the next one, for ever.
    """
    dead = [run for run in instance.get_runs(UNFINISHED) if is_dead(run)]
    for run in dead:
        instance.report_run_failed(run, "the process that executed this run was killed")
    for run_id in _ended_holders(instance):
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return len(dead)


def _ended_holders(instance: dg.DagsterInstance) -> Iterator[str]:
    """Runs that are over, and their process with them, and still hold a slot of a pool."""
    holders = list(instance.event_log_storage.get_concurrency_run_ids())
    for run in instance.get_runs(dg.RunsFilter(run_ids=holders)) if holders else ():
        if run.is_finished and is_dead(run):
            yield run.run_id


def is_dead(run: dg.DagsterRun) -> bool:
    """Whether the process of a run has ended; of another host, or of no tag, nobody knows here: False."""
    run_id, _, process = run.tags.get(PROCESS_TAG, "").partition("@")
    if run_id != run.run_id:
        return False
    host, pid, created = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        # A pid is used again sooner or later: the start time tells the old process from the new one.
        found = psutil.Process(int(pid))
        return str(found.create_time()) != created or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
