"""Pairs of image and text that are worth scoring."""

from dataclasses import fields

import dagster as dg
import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.concepts import usable_concepts
from kg_pipeline.evidence import select_candidates
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.table_assets import table_asset
from resources.collections import Collections
from resources.tables import Tables

CORPUS_TABLES = [field.name for field in fields(Corpus)]


def load_corpus(tables: Tables, collection: str) -> Corpus:
    """Everything that was read of a collection. Raises MissingTableError."""
    store = tables.store()
    frames = {table: store.scan(table, collection).collect() for table in CORPUS_TABLES}
    return Corpus(**frames | {"concepts": usable_concepts(frames["concepts"])})


@dg.asset(
    **table_asset("candidate_pairs"),
    **by_collection,
    group_name="candidates",
    deps=CORPUS_TABLES,
)
def candidate_pairs(context: dg.AssetExecutionContext, collections: Collections, tables: Tables) -> pl.DataFrame:
    """Let the blocking strategies propose texts for each image, and the evidence model keep the best."""
    collection = collections.get(context.partition_key)
    candidates = select_candidates(collection, load_corpus(tables, collection.name), last_use=True)
    context.add_output_metadata(
        {name: dg.MetadataValue.json(dict(part)) for name, part in candidates.diagnostics.items()}
    )
    return candidates.pairs
