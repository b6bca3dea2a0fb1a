"""Backfills of one, adjacent, scattered and all collections on real servers; runs killed and cancelled mid-score.

One Dagster for the module, as it takes seconds to start; the tests build on one another's collections.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl
import psutil
import pytest
from dagster_servers import DagsterServers, running_dagster
from graph_content import content
from graph_servers import running_server
from knowledge_base import picture
from waiting import wait_for

from kg_pipeline.definitions import defs
from kg_pipeline.orchestration.dead_runs import PROCESS_TAG
from kg_pipeline.orchestration.instance import open_instance
from kg_pipeline.orchestration.partitions import sync_partitions
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES

QUALITY = {"evaluation", "evidence_weights", "calibrators"}
PATH = [*(set(TABLES) - QUALITY), "knowledge_graph"]
BEFORE_SCORING = [
    key.to_user_string()
    for key in dg.AssetSelection.assets("pair_scores").upstream(include_self=False).resolve(defs.resolve_asset_graph())
    if key.to_user_string() in PATH
]
NAMES = ("a", "b", "c")

PAGE = """# Station {name}

## Lamp

The {colour} lamp of station {name} lights when a fault is waiting.

![the lamp](lamp.png)

## Pump

The pump of station {name} moves the coolant. {more}
"""


class Stations:
    """Three collections, a Dagster on them, and what the stand-in for the reranker wrote down."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.stand_in = folder, folder / "home", folder / "stand-in"
        self.home.mkdir()
        self.stand_in.mkdir()
        self.dagster: DagsterServers
        for name, colour in zip(NAMES, ("red", "green", "blue"), strict=True):
            self.write(name, colour)
            picture(folder / name / "lamp.png", f"LAMP {name}", colour)
            picture(folder / name / "pump.png", f"PUMP {name}", "grey")
        # The glossary of c is not there yet.
        sections = [f"  {name}: {{documents: [{{root: ../{name}}}], scoring: {{ocr: false}}" for name in NAMES]
        sections = [line + (", concepts: {glossary: ../words.csv}}" if line[2] == "c" else "}") for line in sections]
        (self.home / "collections.yaml").write_text("collections:\n" + "\n".join(sections) + "\n", encoding="utf-8")
        with self.instance() as instance:
            sync_partitions(instance, NAMES)

    def write(self, name: str, colour: str, more: str = "") -> None:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "page.md").write_text(PAGE.format(name=name, colour=colour, more=more), encoding="utf-8")

    def instance(self):
        return open_instance(self.home)

    def log(self) -> list[list[str]]:
        path = self.stand_in / "log"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def count(self, event: str) -> int:
        return sum(words[1] == event for words in self.log())

    def hold(self) -> None:
        (self.stand_in / "hold").touch()

    def go_on(self) -> None:
        (self.stand_in / "hold").unlink(missing_ok=True)

    @contextmanager
    def one_process(self) -> Iterator[None]:
        """Runs that begin in here execute their steps in one process: where none is killed, that is all the same."""
        (self.stand_in / "one-process").touch()
        yield
        (self.stand_in / "one-process").unlink()

    def holders(self) -> set[str]:
        with self.instance() as instance:
            return {slot.run_id for slot in instance.event_log_storage.get_concurrency_info("gpu").claimed_slots}

    def runs_of(self, backfill: str) -> dict[str, str]:
        """Status of each collection's run."""
        with self.instance() as instance:
            runs = instance.get_runs()
        ours = [run for run in runs if run.tags.get("dagster/backfill") == backfill]
        return {run.tags["dagster/partition"]: run.status.value for run in ours}

    def run(self, partitions: list[str] | None, assets: list[str] = PATH) -> dict[str, str]:
        with self.one_process():
            backfill = self.dagster.backfill(assets, partitions)
            self.dagster.finished(backfill)
        return self.runs_of(backfill)

    def score(self, partitions: list[str]) -> str:
        """Ask for scores of what was written since, a process per step; returns when the first step scores."""
        assert set(self.run(partitions, BEFORE_SCORING).values()) == {"SUCCESS"}
        self.hold()
        begun = self.count("begin")
        # With a step before: a run that can only wait for the GPU would be left in the queue.
        backfill = self.dagster.backfill(["candidate_pairs", "pair_scores"], partitions)
        wait_for(lambda: self.count("begin") > begun, 600, "a step to score")
        return backfill

    def run_by_command(self, partition: str) -> dict[str, str]:
        folder = self.home / "dagster"
        command = ["-m", "dagster", "job", "backfill", "-w", str(folder / "workspace.yaml"), "-j", "whole_path"]
        with self.one_process():
            done = subprocess.run(
                [sys.executable, *command, "--partitions", partition, "--noprompt"],
                env={**os.environ, "DAGSTER_HOME": str(folder)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            backfill = re.search(r"backfill job `(\w+)`", done.stdout + done.stderr)
            assert backfill, done.stdout + done.stderr
            # The backfill of a job has ended as soon as its runs are in the queue.
            over = {"SUCCESS", "FAILURE", "CANCELED"}
            wait_for(lambda: self.runs_of(backfill[1]).get(partition) in over, 600, "a run")
        return self.runs_of(backfill[1])


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    with running_server("embedded", tmp_path_factory.mktemp("graph")) as server:
        yield server


@pytest.fixture(scope="module")
def stations(tmp_path_factory, graph):
    stations, settings = Stations(tmp_path_factory.mktemp("stations")), graph.settings
    environment = {
        "KG_PIPELINE_STAND_IN": str(stations.stand_in),
        "NEO4J_URI": settings.neo4j_uri,
        "NEO4J_USERNAME": settings.neo4j_username,
        "NEO4J_PASSWORD": settings.neo4j_password.get_secret_value(),
        "NEO4J_DATABASE": settings.neo4j_database or "",
    }
    with running_dagster(stations.home, "stand_in_location", environment) as stations.dagster:
        yield stations
        stations.go_on()


def test_scattered_adjacent_single_and_all_give_the_same_graph_and_load_the_model_once_a_run(stations, graph):
    # Scattered, and one of them cannot be done: the other is.
    assert stations.run(["a", "c"]) == {"a": "SUCCESS", "c": "FAILURE"}
    (stations.folder / "words.csv").write_text("name,aliases,description\nStation c,,the third\n", encoding="utf-8")
    assert stations.run_by_command("c") == {"c": "SUCCESS"}
    assert stations.run(["a", "b"]) == {"a": "SUCCESS", "b": "SUCCESS"}
    piece_by_piece, loads, pairs = content(graph), stations.count("load"), stations.count("pair")
    # Of the dozen steps of a run one scores; the second run of a had nothing to score.
    assert loads == len(NAMES)
    assert pairs > 0

    graph.wipe()
    assert stations.run(None) == dict.fromkeys(NAMES, "SUCCESS")
    assert content(graph) == piece_by_piece
    # What is in the ledger needs no model.
    assert (stations.count("load"), stations.count("pair")) == (loads, pairs)
    assert not stations.holders()


def test_a_run_killed_while_it_scores_loses_nothing_repeats_nothing_and_frees_the_gpu(stations, graph):
    before = Counter(" ".join(words[2:]) for words in stations.log() if words[1] == "pair")
    stations.write("a", "crimson", "Its filter is changed every month.")
    backfill = stations.score(["a"])
    step = int([words[0] for words in stations.log() if words[1] == "begin"][-1])
    with stations.instance() as instance:
        (run,) = [run for run in instance.get_runs() if run.tags.get("dagster/backfill") == backfill]
        assert stations.holders() == {run.run_id}
        process = int(run.tags[PROCESS_TAG].split(":")[1])
    assert psutil.pid_exists(step)
    os.kill(process, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(step), 60, "the step to end with its run")
    assert stations.dagster.finished(backfill) == "COMPLETED_FAILED"
    wait_for(lambda: not stations.holders(), 150, "the slot to be free")

    stations.go_on()
    assert stations.run(["a"]) == {"a": "SUCCESS"}
    after = Counter(" ".join(words[2:]) for words in stations.log() if words[1] == "pair")
    new = after - before
    assert new
    # What the killed run had put into the ledger was not asked again; its last batch may have been on the way.
    assert sum(count - 1 for count in new.values()) <= 1
    scored = TableStore(stations.home).read("pair_scores", "a")
    assert scored["log_odds"].null_count() == 0
    ledger = pl.read_delta(str(stations.home / "ledger"))
    assert not ledger.select("scorer", "text_sha256", "image_id").is_duplicated().any()
    kept = TableStore(stations.home).read("visual_evidence", "a").filter("kept")["type"].value_counts()
    with graph.connect() as connection:
        edges = connection.read(
            "MATCH ()-[r]->() WHERE r.collection = 'a' AND r.rank IS NOT NULL RETURN type(r) AS type, count(r) AS count"
        )
    assert {row["type"]: row["count"] for row in edges} == dict(kept.iter_rows())


def test_two_runs_never_score_at_once_and_a_cancelled_backfill_frees_the_gpu(stations):
    for name in ("a", "b"):
        stations.write(name, "violet", "Its valve is checked every week.")
    begun = stations.count("begin")
    backfill = stations.score(["a", "b"])
    blocked = "Step blocked by limit for pool gpu"
    wait_for(lambda: blocked in all_messages(stations, backfill), 400, "the other run to wait for the GPU")
    assert stations.count("begin") == begun + 1
    assert len(stations.holders()) == 1
    step = int([words[0] for words in stations.log() if words[1] == "begin"][-1])

    stations.dagster.cancel(backfill)
    assert stations.dagster.finished(backfill) == "CANCELED"
    wait_for(lambda: not psutil.pid_exists(step), 60, "the step to end")
    wait_for(lambda: not stations.holders(), 60, "the slot to be free")
    assert set(stations.runs_of(backfill).values()) == {"CANCELED"}

    stations.go_on()
    assert stations.run(["a", "b"]) == {"a": "SUCCESS", "b": "SUCCESS"}


def all_messages(stations: Stations, backfill: str) -> str:
    with stations.instance() as instance:
        runs = [run for run in instance.get_runs() if run.tags.get("dagster/backfill") == backfill]
        return "\n".join(entry.user_message for run in runs for entry in instance.all_logs(run.run_id))
