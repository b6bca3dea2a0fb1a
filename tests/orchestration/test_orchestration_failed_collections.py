"""Which collections failed, what to do, and how long the history of runs is kept."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from kg_pipeline.orchestration import old_runs
from kg_pipeline.orchestration.failed_collections import failures
from kg_pipeline.orchestration.old_runs import delete_old_runs
from kg_pipeline.orchestration.partitions import collection_partitions, sync_partitions


class Ends(dg.Config):
    ends: str = "well"


@dg.asset(partitions_def=collection_partitions)
def knowledge_graph(config: Ends) -> None:
    if config.ends != "well":
        raise dg.Failure("as the test asked for")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        sync_partitions(instance, ["a", "b", "c"])
        yield instance


def run(instance: dg.DagsterInstance, name: str, ends: str = "well") -> str:
    config = {"ops": {"knowledge_graph": {"config": {"ends": ends}}}}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = dg.materialize(
        [knowledge_graph], instance=instance, partition_key=name, run_config={**config, **quiet}, raise_on_error=False
    )
    return result.run_id


def test_the_check_names_what_failed_and_says_what_to_do(instance):
    run(instance, "a")
    run(instance, "b", "badly")
    first = failures(dg.build_sensor_context(instance=instance))
    (evaluation,) = first.asset_events
    assert not evaluation.passed
    assert evaluation.metadata["names"].value == "b"
    assert "tag:dagster/partition=b" in evaluation.metadata["recovery"].value
    again = failures(dg.build_sensor_context(instance=instance, cursor=first.cursor))
    assert not again.asset_events
    run(instance, "b")
    (evaluation,) = failures(dg.build_sensor_context(instance=instance, cursor=first.cursor)).asset_events
    assert evaluation.passed


def test_old_runs_go_but_the_last_of_each_collection_stay(instance, monkeypatch):
    monkeypatch.setattr(old_runs, "KEPT_OF_A_KIND", 1)
    monkeypatch.setattr(old_runs, "KEPT_SUCCESSES", 1)
    runs = [run(instance, "a"), run(instance, "a"), run(instance, "a", "badly"), run(instance, "b")]
    assert delete_old_runs(instance, datetime.now(UTC) - timedelta(days=1)) == 0
    assert delete_old_runs(instance, datetime.now(UTC) + timedelta(days=1)) == 1
    assert {record.run_id for record in instance.get_runs()} == set(runs[1:])
    statuses = instance.get_status_by_partition(knowledge_graph.key, ["a", "b"], collection_partitions)
    assert {name: status.name for name, status in statuses.items()} == {"a": "FAILED", "b": "MATERIALIZED"}
