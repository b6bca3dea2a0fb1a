"""One whole run of a collection in this process, through the same assets as in Dagster, and what it found."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from kg_pipeline.config import Collection
from kg_pipeline.orchestration.dead_runs import process_tag, release_dead_runs
from kg_pipeline.orchestration.failures import INTERRUPTED, failure_message
from kg_pipeline.orchestration.instance import open_instance
from kg_pipeline.orchestration.partitions import sync_partitions
from kg_pipeline.storage import TableStore
from kg_pipeline.storage.atomic import replacing
from kg_pipeline.tables import TABLES

# Dagster's own log lines would bury the progress bars; a failure is reported by us.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Failure:
    """Where a run stopped and why."""

    step: str
    message: str


@dataclass(frozen=True)
class RunSummary:
    """What one run of a collection did; `as_json` is the content of HOME/last_run.json."""

    collection: str
    run_id: str
    seconds: float
    home: Path
    failures: tuple[Failure, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """Rows by table."""
    statuses: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Rows by status, of documents, image_files and references."""
    stores: Mapping[str, int] = field(default_factory=dict)
    """What stores were asked for pictures, and what came; empty for a collection without one."""
    orphans: Mapping[str, int] = field(default_factory=dict)
    edges: Mapping[str, int] = field(default_factory=dict)
    """Kept rows of visual_evidence by type and text kind."""
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """Verdicts that accept, that reject, and that hold for nothing any more."""
    scoring: Mapping[str, Any] = field(default_factory=dict)
    graph: Mapping[str, Any] | None = None
    gallery: Path | None = None
    not_judged: int = 0
    """Pictures that evidence from text cannot judge; 0 when a reranker looked at them."""
    not_judged_sample: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether every step ended well."""
        return not self.failures

    @property
    def was_interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C."""
        return any(failure.message == INTERRUPTED for failure in self.failures)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "collection": self.collection,
            "status": "success" if self.succeeded else "failure",
            "run_id": self.run_id,
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 2),
            "failures": [{"step": failure.step, "message": failure.message} for failure in self.failures],
            "counts": dict(self.counts),
            "statuses": {table: dict(by_status) for table, by_status in self.statuses.items()},
            "orphans": dict(self.orphans),
            "edges": dict(self.edges),
            "verdicts": dict(self.verdicts),
            "scoring": dict(self.scoring),
            "graph": dict(self.graph) if self.graph is not None else None,
            "gallery": str(self.gallery) if self.gallery else None,
            "not_judged": self.not_judged,
        }


def run_collection(
    definitions: dg.Definitions,
    home: Path,
    collection: Collection,
    configured: set[str],
    *,
    with_graph: bool,
    allow_mass_delete: bool = False,
    full_refresh: bool = False,
) -> RunSummary:
    """Materialize every asset of a collection in this process and write HOME/last_run.json."""
    started, run_id = time.monotonic(), str(uuid.uuid4())
    ops = {"knowledge_graph": {"config": {"allow_mass_delete": allow_mass_delete, "full_refresh": full_refresh}}}
    with open_instance(home) as instance:
        # In here, because Dagster asks the instance that is open for the state of definitions.
        job = definitions.resolve_job_def("whole_path" if with_graph else "without_graph")
        release_dead_runs(instance)
        sync_partitions(instance, {*configured, collection.name})
        result = job.execute_in_process(
            instance=instance,
            partition_key=collection.name,
            run_id=run_id,
            tags=process_tag(run_id),
            run_config={**QUIET, "ops": ops} if with_graph else QUIET,
            raise_on_error=False,
        )
    summary = _summarize(result, home, collection.name, time.monotonic() - started)
    with replacing(home / "last_run.json") as beside:
        beside.write_text(json.dumps(summary.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return summary


def _summarize(result: dg.ExecuteInProcessResult, home: Path, name: str, seconds: float) -> RunSummary:
    metadata: dict[str, dict[str, Any]] = {
        event.asset_key.to_user_string(): {key: value.value for key, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    store = TableStore(home)
    made = [table for table in TABLES if table in metadata]
    reports = metadata.get("orphan_images", {})
    return RunSummary(
        collection=name,
        run_id=result.run_id,
        seconds=seconds,
        home=home,
        failures=tuple(_failures(result)),
        counts={table: metadata[table]["dagster/partition_row_count"] for table in made},
        statuses={table: _count(store, table, name, "status") for table in made if "status" in TABLES[table].schema},
        stores=_prefixed(metadata.get("image_files", {}), "stores/"),
        orphans=_count(store, "orphan_images", name, "reason") if "orphan_images" in metadata else {},
        edges=_prefixed(metadata.get("visual_evidence", {}), "kept/"),
        verdicts=_prefixed(metadata.get("visual_evidence", {}), "verdicts/"),
        scoring={
            key: metadata["pair_scores"][key]
            for key in ("scorer", "model_calls", "ledger_hits", "unscored")
            if key in metadata.get("pair_scores", {})
        },
        graph=metadata.get("knowledge_graph"),
        gallery=Path(reports["gallery"]) if "gallery" in reports else None,
        not_judged=reports.get("not_judged", 0),
        not_judged_sample=tuple(reports.get("not_judged_sample", ())),
    )


def _failures(result: dg.ExecuteInProcessResult) -> list[Failure]:
    failed = [event for event in result.all_events if event.is_step_failure]
    return [Failure(event.step_key or "", failure_message(event)) for event in failed]


def _count(store: TableStore, table: str, collection: str, column: str) -> dict[str, int]:
    return dict(store.scan(table, collection).group_by(column).len().sort(column).collect().iter_rows())


def _prefixed(metadata: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}
