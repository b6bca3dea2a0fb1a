"""The sensor for changed files and the latch, ticked on a real instance with runs that succeed and fail."""

import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from kg_pipeline.definitions import build_defs
from kg_pipeline.orchestration import changed_files as module
from kg_pipeline.orchestration import latch
from kg_pipeline.orchestration.changed_files import changed_files
from kg_pipeline.orchestration.latch import MOST_FAILURES
from kg_pipeline.orchestration.partitions import collection_partitions, sync_partitions
from kg_pipeline.orchestration.schedules import nightly
from resources.collections import Collections
from resources.tables import Tables

DEFINITIONS = build_defs()


@dg.op(config_schema={"ends": str})
def work(context: dg.OpExecutionContext) -> None:
    if context.op_config["ends"] != "well":
        raise dg.Failure("as the test asked for")


@dg.job(name="whole_path", partitions_def=collection_partitions)
def stand_in() -> None:
    """A run of this name, without what it would do."""
    work()


class World:
    """Documents of collections, the sensor, and the runs that follow from its requests."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance, self.cursor, self.keys = folder, instance, None, set()

    def write(self, name: str, text: str) -> None:
        path = self.folder / "docs" / name / "page.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def configure(self, *names: str, **sections: str) -> None:
        entries = {name: f"{{documents: [{{root: docs/{name}}}]}}" for name in names} | sections
        lines = "".join(f"  {name}: {section}\n" for name, section in entries.items())
        (self.folder / "collections.yaml").write_text(f"collections:\n{lines}", encoding="utf-8")
        sync_partitions(self.instance, [*names, *sections])

    @property
    def resources(self) -> dict:
        home = str(self.folder / "home")
        config = str(self.folder / "collections.yaml")
        return {"collections": Collections(home=home, config=config), "tables": Tables(home=home)}

    def tick(self) -> dg.SensorResult:
        context = dg.build_sensor_context(
            instance=self.instance, definitions=DEFINITIONS, resources=self.resources, cursor=self.cursor
        )
        result = changed_files(context)
        self.cursor = result.cursor
        return result

    def run(self, ends: str = "well") -> list[str]:
        """Tick, and execute what is requested; the collections. As Dagster, nothing twice for one run key."""
        done = []
        for request in self.tick().run_requests:
            if request.run_key not in self.keys:
                self.keys.add(request.run_key)
                self.by_hand(request.partition_key, ends, request.tags)
                done.append(request.partition_key)
        return done

    def by_hand(self, name: str, ends: str = "well", tags: dict | None = None) -> None:
        stand_in.execute_in_process(
            instance=self.instance,
            run_config={
                "ops": {"work": {"config": {"ends": ends}}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            tags={**(tags or {}), "dagster/partition": name},
            raise_on_error=False,
        )


def new_world(folder: Path, instance: dg.DagsterInstance, *names: str) -> World:
    world = World(folder, instance)
    for name in names:
        world.write(name, "# One\n")
    world.configure(*names)
    return world


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(latch, "PAUSES", (latch.timedelta(0), latch.timedelta(0)))
    with dg.DagsterInstance.ephemeral() as instance:
        yield new_world(tmp_path, instance, "a", "b", "c")


def test_each_state_is_run_once_and_a_state_that_comes_back_again(world):
    assert world.run() == ["a", "b", "c"]
    assert world.run() == []
    world.write("b", "# Two\n")
    assert world.run() == ["b"]
    assert world.run() == []
    world.write("b", "# One\n")
    assert world.run() == ["b"]
    assert world.run() == []


def test_a_run_by_hand_after_the_change_is_enough(world):
    world.run()
    world.write("a", "# Two\n")
    assert [request.partition_key for request in world.tick().run_requests] == ["a"]
    world.by_hand("a")
    assert world.run() == []


def test_a_request_that_dagster_lost_is_made_again_with_the_same_key(world):
    first, second = world.tick(), world.tick()
    assert [request.run_key for request in first.run_requests] == [request.run_key for request in second.run_requests]


def test_a_collection_whose_root_is_away_does_not_stop_the_others(world):
    world.run()
    (world.folder / "docs" / "a").rename(world.folder / "away")
    world.write("b", "# Two\n")
    assert world.run() == ["b"]
    assert "a: cannot be read" in world.tick().skip_reason.skip_message
    (world.folder / "away").rename(world.folder / "docs" / "a")
    result = world.tick()
    assert not result.run_requests
    assert "cannot be read" not in result.skip_reason.skip_message


def test_a_section_that_is_not_valid_does_not_stop_the_others(world):
    world.run()
    world.configure("b", "c", a="{documents: 1}")
    world.write("c", "# Two\n")
    assert world.run() == ["c"]
    assert "collections.a" in world.tick().skip_reason.skip_message


def test_an_input_that_fails_is_tried_three_times_and_then_held_back_until_it_changes(world):
    world.configure("a")
    for _ in range(MOST_FAILURES):
        assert world.run("badly") == ["a"]
    for _ in range(3):
        result = world.tick()
        assert not result.run_requests
        assert "a: 3 runs of the same input failed" in result.skip_reason.skip_message
    world.write("a", "# Repaired\n")
    assert world.run() == ["a"]


def test_a_success_by_hand_takes_the_latch_off(world):
    world.configure("a")
    for _ in range(MOST_FAILURES):
        world.run("badly")
    world.by_hand("a")
    assert "held back" not in world.tick().skip_reason.skip_message
    world.write("a", "# Two\n")
    assert world.run("badly") == ["a"]
    assert world.run("badly") == ["a"]


def test_after_a_failure_there_is_a_pause(world, monkeypatch):
    monkeypatch.setattr(latch, "PAUSES", (latch.timedelta(hours=1), latch.timedelta(hours=1)))
    world.configure("a")
    assert world.run("badly") == ["a"]
    result = world.tick()
    assert not result.run_requests
    assert "1 waiting" in result.skip_reason.skip_message


def test_a_tick_without_time_looks_at_one_collection_and_the_next_tick_at_the_next(world, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_PER_TICK", -1.0)
    assert [world.run() for _ in range(4)] == [["a"], ["b"], ["c"], []]


def night(world: World, day: int) -> list[str]:
    """The collections that the schedule requests; of these, `a` runs and fails."""
    with dg.build_schedule_context(
        instance=world.instance,
        resources=world.resources,
        scheduled_execution_time=datetime(2026, 11, day, 2, tzinfo=UTC),
    ) as context:
        requests = [request for request in nightly(context) if isinstance(request, dg.RunRequest)]
    for request in requests:
        if request.partition_key == "a":
            world.by_hand("a", "badly", request.tags)
    return [request.partition_key for request in requests]


def test_the_nightly_schedule_too_stops_asking_for_an_input_that_fails(tmp_path):
    # A schedule opens the instance anew, so this one is on disk.
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        world = new_world(tmp_path, instance, "a", "b")
        nights = [night(world, day) for day in range(1, 7)]
        # The first failure was of an input that nobody had looked at.
        assert nights == [["a", "b"]] * (1 + MOST_FAILURES) + [["b"]] * (5 - MOST_FAILURES)
        world.write("a", "# Repaired\n")
        assert night(world, 9) == ["a", "b"]


def test_what_the_sensor_keeps_is_small_and_its_cursor_does_not_grow(world):
    world.run()
    state = json.loads((world.folder / "home" / "automation" / "changed_files.json").read_text())
    assert set(state) == {"a", "b", "c"}
    assert len(world.cursor) < 100
