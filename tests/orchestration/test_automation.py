"""The schedule and the sensor, ticked on a real instance."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from kg_pipeline.definitions import build_defs
from kg_pipeline.orchestration.partitions import sync_partitions
from kg_pipeline.orchestration.schedules import nightly
from kg_pipeline.orchestration.sensors import new_collections
from resources.collections import Collections
from resources.tables import Tables

DEFINITIONS = build_defs()


@pytest.fixture
def instance(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


def configure(folder: Path, *names: str) -> Collections:
    config = folder / "collections.yaml"
    sections = "".join(f"  {name}: {{documents: [{{root: docs}}]}}\n" for name in names)
    config.write_text(f"collections:\n{sections}", encoding="utf-8")
    return Collections(home=str(folder / "home"), config=str(config))


def tick(instance: dg.DagsterInstance, collections: Collections) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=instance, definitions=DEFINITIONS, resources={"collections": collections}
    )
    return new_collections(context)


def requested(result: dg.SensorResult) -> dict[str, list[str]]:
    return {type(request).__name__: request.partition_keys for request in result.dynamic_partitions_requests}


def test_a_new_collection_becomes_a_partition_and_is_run_once(instance, tmp_path):
    result = tick(instance, configure(tmp_path, "a", "b"))
    assert requested(result) == {"AddDynamicPartitionsRequest": ["a", "b"]}
    assert [request.partition_key for request in result.run_requests] == ["a", "b"]
    sync_partitions(instance, ["a", "b"])
    result = tick(instance, configure(tmp_path, "a", "b"))
    assert not result.run_requests
    assert "none new" in result.skip_reason.skip_message


def test_a_collection_that_is_gone_loses_its_partition(instance, tmp_path):
    sync_partitions(instance, ["a", "b"])
    assert requested(tick(instance, configure(tmp_path, "b"))) == {"DeleteDynamicPartitionsRequest": ["a"]}


def test_a_broken_configuration_changes_nothing(instance, tmp_path):
    sync_partitions(instance, ["a"])
    collections = configure(tmp_path, "a")
    (tmp_path / "collections.yaml").write_text("collections: {a: {documents: 1}}", encoding="utf-8")
    result = tick(instance, collections)
    assert not result.dynamic_partitions_requests
    assert "line 1" in result.skip_reason.skip_message


def test_the_nightly_schedule_runs_every_collection(instance, tmp_path):
    sync_partitions(instance, ["b", "a"])
    resources = {"collections": configure(tmp_path, "a", "b"), "tables": Tables(home=str(tmp_path / "home"))}
    night = datetime(2026, 11, 22, 2, tzinfo=UTC)
    opened = dg.build_schedule_context(instance=instance, resources=resources, scheduled_execution_time=night)
    with opened as context:
        assert [(request.partition_key, request.run_key) for request in nightly(context)] == [
            ("a", "2026-11-22:a"),
            ("b", "2026-11-22:b"),
        ]


def test_what_requests_runs_or_tells_others_starts_stopped():
    repository = DEFINITIONS.get_repository_def()
    running = {sensor.name for sensor in repository.sensor_defs if sensor.default_status.name == "RUNNING"}
    assert running == {"dead_runs", "failures", "old_runs"}
    assert all(schedule.default_status.name == "STOPPED" for schedule in repository.schedule_defs)
