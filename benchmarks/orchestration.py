"""Dagster with many collections: loading, sensor and schedule ticks, the UI's queries, and a simulated day of ticks.

    python benchmarks/orchestration.py [--collections 1000] [--day-collections 20] [--hours 24] [--step 1]

The collections are a page and a picture each; 0 of them leaves a part out. Ticks of the day run as the daemon runs
them, through a code server, with Dagster's clock moved on by `--step` minutes each time and a page edited every hour.
Nothing is executed: requested runs are marked as succeeded. `_cpu_s` is CPU time of this process, which other work on
the machine changes less than `_s`. Ends with one JSON line.
"""

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster_graphql.cli import execute_query

from kg_pipeline.definitions import build_defs
from kg_pipeline.orchestration.changed_files import changed_files, read_seen
from kg_pipeline.orchestration.failed_collections import failures
from kg_pipeline.orchestration.instance import open_instance
from kg_pipeline.orchestration.old_runs import delete_old_runs
from kg_pipeline.orchestration.partitions import sync_partitions
from kg_pipeline.orchestration.schedules import nightly
from kg_pipeline.orchestration.sensors import new_collections
from resources.collections import Collections
from resources.tables import Tables

SWITCHED_ON = ("new_collections", "changed_files")
PAST_RUNS = 1
"""Of each collection."""
REPORTED = ("images", "chunks", "pair_scores", "visual_evidence", "knowledge_graph")
# What the UI asks for its lineage page, the partitions of an asset, and the list of runs.
QUERIES = {
    "lineage": "{ assetNodes { assetKey { path } groupName kinds dependencyKeys { path } hasMaterializePermission } }",
    "partitions": """{ assetNodeOrError(assetKey: {path: ["knowledge_graph"]}) { ... on AssetNode {
        partitionStats { numMaterialized numFailed numPartitions }
        partitionKeysByDimension { partitionKeys }
        assetPartitionStatuses { ... on DefaultPartitionStatuses {
            materializedPartitions failedPartitions unmaterializedPartitions } } } } }""",
    "runs": "{ runsOrError(limit: 30) { ... on Runs { results { id status tags { key value } } } } }",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collections", type=int, default=1000)
    parser.add_argument("--day-collections", type=int, default=20)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--step", type=int, default=1, help="minutes between two rounds of ticks")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    ratios: dict[str, float] = {"load_average": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        if options.collections:
            ratios |= many_collections(Path(folder) / "many", options.collections)
        if options.day_collections:
            ratios |= a_day(Path(folder) / "day", options.day_collections, options.hours, options.step)
    ratios["load_average_after"] = os.getloadavg()[0]
    for name, figure in ratios.items():
        print(f"{name:48} {figure:12.3f}")
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(json.dumps({"name": "orchestration", "ratios": ratios, "bound": {}, "machine": machine}))


def many_collections(root: Path, number: int) -> dict[str, float]:
    """Seconds that loading, ticks and queries take with so many collections."""
    names = make_home(root, number)
    os.environ["KG_PIPELINE_HOME"] = str(root / "home")
    resources = {"collections": Collections(), "tables": Tables()}
    figures = clock("load_code_location", load_anew)
    with open_instance(root / "home") as instance:
        definitions = build_defs()

        def tick(sensor: dg.SensorDefinition, cursor: str | None = None) -> Any:
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, resources=resources, definitions=definitions
            )
            return sensor(context)

        figures |= clock("tick_new_collections", lambda: tick(new_collections))
        sync_partitions(instance, names)
        figures |= clock("tick_new_collections_again", lambda: tick(new_collections))
        figures |= ticks_of_new_files(tick, root / "home", number)
        report(instance, names)
        give_history(instance, names)
        figures["runs_of_the_past"] = instance.get_runs_count()
        figures |= clock("tick_changed_files_again", lambda: tick(changed_files))
        figures |= clock("tick_failures", lambda: tick(failures))
        requests: list[Any] = []
        with dg.build_schedule_context(
            instance=instance, resources=resources, scheduled_execution_time=datetime.now(UTC)
        ) as schedule:
            figures |= clock("tick_nightly", lambda: requests.extend(nightly(schedule)))
        assert len(requests) == number, requests[0]
        target = ModuleTarget("kg_pipeline.definitions", None, None, "kg_pipeline")
        with create_test_daemon_workspace_context(target, instance) as workspace:
            for name, query in QUERIES.items():
                answers: list[Any] = []
                figures |= clock(f"query_{name}", lambda: answers.append(execute_query(workspace, query)))  # noqa: B023
                assert "errors" not in answers[0], answers[0]
    return figures


def ticks_of_new_files(tick: Callable[..., Any], home: Path, number: int) -> dict[str, float]:
    """Ticks until every collection was requested once, and the longest of them."""
    cursor, seconds = None, []
    while len(read_seen(home)) < number:
        started = time.perf_counter()
        cursor = tick(changed_files, cursor).cursor
        seconds.append(time.perf_counter() - started)
    return {"ticks_changed_files_first": len(seconds), "tick_changed_files_first_longest_s": max(seconds)}


def a_day(root: Path, number: int, hours: int, step: int) -> dict[str, float]:
    """What hours of ticks leave behind, and what is left of it when retention has passed."""
    names = make_home(root, number)
    os.environ["KG_PIPELINE_HOME"] = str(root / "home")
    target, logger = ModuleTarget("kg_pipeline.definitions", None, None, "kg_pipeline"), logging.getLogger("bench")
    with open_instance(root / "home") as instance:
        sync_partitions(instance, names)
        with create_test_daemon_workspace_context(target, instance) as workspace:
            (location,) = workspace.create_request_context().code_locations
            (repository,) = location.get_repositories().values()
            for sensor in repository.get_sensors():
                if sensor.name in SWITCHED_ON:
                    instance.start_sensor(sensor)
            for schedule in repository.get_schedules():
                if schedule.name == "nightly":
                    instance.start_schedule(schedule)
            times: dict[str, Any] = {}

            def minutes(start: datetime, count: int) -> None:
                for minute in range(0, count, step):
                    now = start + timedelta(minutes=minute)
                    if minute % 60 + step >= 60:
                        (root / "docs" / names[0] / "page.md").write_text(f"# At {now}\n", encoding="utf-8")
                    with freeze_time(now):
                        list(execute_sensor_iteration(workspace, logger, None, None))
                        list(launch_scheduled_runs(workspace, logger, now, times))
                    finish_runs(instance)

            start = datetime.now(UTC).replace(second=0, microsecond=0)
            figures: dict[str, float] = {}
            quarters = [round(hours * 60 * part / 4) for part in range(5)]
            for begin, until in pairwise(quarters):
                figures |= clock(
                    f"until_hour_{until / 60:g}", partial(minutes, start + timedelta(minutes=begin), until - begin)
                )
                found = left_behind(instance, root / "home") | memory()
                figures |= {f"hour_{until / 60:g}_{name}": count for name, count in found.items()}
                print(f"hour {until / 60:g}: {found}", flush=True)
            # Skipped ticks are kept for days, others for weeks: all of the day is over by then.
            minutes(start + timedelta(days=100), 2)
            delete_old_runs(instance, datetime.now(UTC) + timedelta(days=1))
            later = left_behind(instance, root / "home")
    return figures | {f"after_retention_{name}": count for name, count in later.items()}


def make_home(root: Path, number: int) -> list[str]:
    """A collections.yaml with so many collections, of a page and a picture each."""
    names = [f"c{index:04}" for index in range(number)]
    (root / "home").mkdir(parents=True)
    for name in names:
        folder = root / "docs" / name
        folder.mkdir(parents=True)
        (folder / "page.md").write_text(f"# {name}\n\n![lamp](lamp.png)\n", encoding="utf-8")
        (folder / "lamp.png").write_bytes(name.encode())
    lines = "".join(f"  {name}: {{documents: [{{root: ../docs/{name}}}]}}\n" for name in names)
    (root / "home" / "collections.yaml").write_text(f"collections:\n{lines}", encoding="utf-8")
    return names


def load_anew() -> None:
    script = "from kg_pipeline.definitions import defs; defs.get_repository_def()"
    subprocess.run([sys.executable, "-c", script], check=True)


def report(instance: dg.DagsterInstance, names: list[str]) -> None:
    """Let a few assets of every collection be materialized."""
    for asset in REPORTED:
        for name in names:
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=name))


def give_history(instance: dg.DagsterInstance, names: list[str]) -> None:
    """Runs of the whole path of every collection that succeeded, started after the files were looked at."""
    for name in names:
        for _ in range(PAST_RUNS):
            run = dg.DagsterRun("whole_path", status=dg.DagsterRunStatus.NOT_STARTED, tags={"dagster/partition": name})
            instance.add_run(run)
            end(instance, run)


def finish_runs(instance: dg.DagsterInstance) -> None:
    queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED])
    for run in instance.get_runs(queued):
        end(instance, run)


def end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Let a run start and succeed now."""
    for kind in ("PIPELINE_START", "PIPELINE_SUCCESS"):
        instance.report_dagster_event(dg.DagsterEvent(event_type_value=kind, job_name=run.job_name), run.run_id)


def left_behind(instance: dg.DagsterInstance, home: Path) -> dict[str, float]:
    states = instance.all_instigator_state()
    ticks = [instance.get_ticks(state.instigator_origin_id, state.selector_id) for state in states]
    files = [path for path in home.rglob("*") if path.is_file()]
    return {
        "ticks": sum(map(len, ticks)),
        "runs": instance.get_runs_count(),
        "files": len(files),
        "megabytes": sum(path.stat().st_size for path in files) / 1e6,
    }


def memory() -> dict[str, float]:
    """Resident memory of the daemon, which is this process, and of its code server."""
    ours = psutil.Process()
    children = sum(child.memory_info().rss for child in ours.children(recursive=True))
    return {"daemon_megabytes": ours.memory_info().rss / 1e6, "code_server_megabytes": children / 1e6}


def clock(name: str, work: Callable[[], object]) -> dict[str, float]:
    """Seconds by the wall clock, and CPU seconds of this process and of those it waited for."""
    started, before = time.perf_counter(), sum(os.times()[:4])
    work()
    return {f"{name}_s": time.perf_counter() - started, f"{name}_cpu_s": sum(os.times()[:4]) - before}


if __name__ == "__main__":
    main()
