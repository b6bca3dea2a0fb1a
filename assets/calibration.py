"""Weights and curves fitted on a collection's own references: a job of its own changes them, and nothing else does."""

import dagster as dg
import polars as pl
from pydantic import Field

from assets.candidates import CORPUS_TABLES, load_corpus
from kg_pipeline.evaluation import (
    CalibrationTables,
    EvaluationError,
    add_version,
    calibrate,
    recorded_versions,
    scorer_of,
)
from kg_pipeline.orchestration.metadata import markdown_table
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from kg_pipeline.orchestration.table_assets import table_asset
from resources.collections import Collections
from resources.reranker import RerankerResource
from resources.tables import Tables


class CalibrationConfig(dg.Config):
    """What a person may ask for, in the launchpad."""

    target_precision: float | None = Field(
        None, gt=0, lt=1, description="keep pairs from the confidence on at which this share of them is right"
    )


@dg.multi_asset(
    outs={table: dg.AssetOut(**table_asset(table)) for table in CalibrationTables._fields},
    **by_collection,
    group_name="quality",
    pool="gpu",
    deps=CORPUS_TABLES,
)
def calibration(
    context: dg.AssetExecutionContext,
    config: CalibrationConfig,
    collections: Collections,
    tables: Tables,
    reranker: RerankerResource,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hide the references a fifth at a time, and fit weights and curves; the same result adds no version.

    A collection with too few references keeps what it has: that is how things are, not a failure of the run.
    """
    collection = collections.get(context.partition_key)
    corpus, choice = load_corpus(tables, collection.name), reranker.get(collection)
    score = scorer_of(collection, choice.reranker, tables.ledger())
    recorded = recorded_versions(tables.store(), collection.name)
    try:
        with logged_progress(context):
            found = calibrate(collection, corpus, score, config.target_precision)
    except EvaluationError as error:
        context.log.warning("%s", error)
        context.add_output_metadata({"not_fitted": str(error)}, "calibrators")
        return recorded.evidence_weights, recorded.calibrators
    context.add_output_metadata({"found": dg.MetadataValue.md(markdown_table(found.calibrators))}, "calibrators")
    kept = add_version(recorded, found)
    return kept.evidence_weights, kept.calibrators
