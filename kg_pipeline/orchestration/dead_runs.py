"""Runs whose process was killed: recognized by the process they name in a tag, ended, their pool slots freed."""

import os
import socket
from collections.abc import Iterator

import dagster as dg
import psutil

PROCESS_TAG = "kg-pipeline/process"
"""Tag of a run: the host, pid and identity of the process that executes it."""

UNFINISHED = dg.RunsFilter(
    statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
)


def process_tag(run_id: str) -> dict[str, str]:
    """The tag of a run that this process executes. It names the run too: a re-execution copies its parent's tags."""
    return {PROCESS_TAG: f"{run_id}@{socket.gethostname()}:{os.getpid()}:{_identity(os.getpid())}"}


def release_dead_runs(instance: dg.DagsterInstance) -> int:
    """Report runs as failed whose process was killed on this host, and free the pool slots they hold; how many.

    Dagster's default launcher watches the runs of a code server only while that server lives: after a power cut, or a
    killed command, the run would count as running, and its slot would block the next one, for ever.
    """
    dead = [run for run in instance.get_runs(UNFINISHED) if is_dead(run) and not _is_over(instance, run)]
    for run in dead:
        instance.report_run_failed(run, "the process that executed this run was killed")
    for run_id in _ended_holders(instance):
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return len(dead)


def _is_over(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run whose process has ended came to its own end while it was looked at."""
    now = instance.get_run_by_id(run.run_id)
    return now is None or now.is_finished


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
    host, pid, identity = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        return _identity(int(pid)) != identity or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _identity(pid: int) -> str:
    """Of the process that has this pid now: pids are used again.

    psutil's hash is of numbers alone, the pid and its start counted from the boot, so it is the same in every process.
    `create_time` is not: it moves with every correction of the clock.
    """
    return str(hash(psutil.Process(pid)))
