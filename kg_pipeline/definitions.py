"""Everything Dagster loads: assets, checks, jobs, schedules, sensors and resources, put together in one place."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import calibration, candidates, embeddings, evaluation, graph, ingestion, reports, scoring
from kg_pipeline.orchestration.changed_files import changed_files
from kg_pipeline.orchestration.checks import checks
from kg_pipeline.orchestration.digest import digest
from kg_pipeline.orchestration.executor import step_processes
from kg_pipeline.orchestration.failed_collections import collections_file, failures, no_collection_failed
from kg_pipeline.orchestration.io_manager import TableIOManager
from kg_pipeline.orchestration.jobs import calibrate, evaluate, whole_path, without_graph
from kg_pipeline.orchestration.old_runs import old_runs
from kg_pipeline.orchestration.schedules import nightly, weekly_calibration
from kg_pipeline.orchestration.sensors import dead_runs, new_collections
from resources.collections import Collections
from resources.graph import Graph
from resources.reranker import RerankerResource
from resources.tables import Tables


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The definitions; `resource_overrides` replaces resources by key, as the command line and tests do."""
    resources: dict[str, Any] = {
        "tables": Tables(),
        "collections": Collections(),
        "reranker": RerankerResource(),
        "graph": Graph(),
        **(resource_overrides or {}),
    }
    resources["io_manager"] = TableIOManager(tables=resources["tables"], collections=resources["collections"])
    return dg.Definitions(
        assets=[
            collections_file,
            *dg.load_assets_from_modules(
                [ingestion, embeddings, candidates, scoring, reports, graph, evaluation, calibration]
            ),
        ],
        asset_checks=[*checks, no_collection_failed],
        jobs=[whole_path, without_graph, evaluate, calibrate],
        schedules=[nightly, weekly_calibration],
        sensors=[new_collections, changed_files, digest, failures, dead_runs, old_runs],
        resources=resources,
        executor=step_processes,
    )


defs = build_defs()
