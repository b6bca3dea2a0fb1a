"""Pools on the Postgres of a deployment, where several runs claim their first slots at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import dagster as dg
import pytest
import yaml
from graph_servers import free_port
from postgres_server import running_postgres

from kg_pipeline.orchestration.pools import ensure_pools

RUNS = 4
POOLS = [f"pool_{number}" for number in range(8)]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Path]:
    """A DAGSTER_HOME whose history is kept in Postgres."""
    port = free_port()
    database = {
        "hostname": "127.0.0.1",
        "port": port,
        "username": "dagster",
        "password": "secret",
        "db_name": "dagster",
    }
    storage = {"postgres": {"postgres_db": {**database, "scheme": "postgresql+psycopg2"}}}
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump({"storage": storage, "concurrency": {"pools": {"default_limit": 1, "granularity": "op"}}})
    )
    with running_postgres(["postgres"], port, "dagster", "secret", "dagster"):
        yield tmp_path


def limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_runs_that_need_the_same_new_pools_at_once_all_get_them(settings):
    with dg.DagsterInstance.from_config(str(settings)) as instance:
        together = Barrier(RUNS)

        def start(_: int) -> None:
            for pool in POOLS:
                together.wait(30)
                ensure_pools(instance, [pool])

        with ThreadPoolExecutor(RUNS) as runs:
            list(runs.map(start, range(RUNS)))
        assert {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()} == dict.fromkeys(
            POOLS, 1
        )


def test_a_limit_that_somebody_set_stays(settings):
    with dg.DagsterInstance.from_config(str(settings)) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 3)
        ensure_pools(instance, ["gpu", "neo4j_write"])
        assert limits(instance) == {"gpu": 3, "neo4j_write": 1}
