"""Checks that stand before the graph: when one fails, the graph is not written."""

from collections.abc import Callable

import dagster as dg
import polars as pl

from kg_pipeline.orchestration.partitions import collection_partitions
from resources.tables import Tables

Read = Callable[[str], pl.DataFrame]

PAIR = ("image_id", "text_kind", "text_id")
KEYS = {"candidate_pairs": PAIR, "pair_scores": PAIR, "visual_evidence": ("type", *PAIR)}
TEXT_TABLES = {
    "chunk": ("chunks", "chunk_id"),
    "document": ("documents", "document_id"),
    "concept": ("concepts", "concept_id"),
}
REMEDY = "Materialize the upstream assets of this collection again; if it persists, a strategy or scorer is at fault."


def doubled_keys(read: Read) -> dict[str, int]:
    """Number of rows that share the key of their pair, by table."""
    return {table: int(read(table).select(key).is_duplicated().sum()) for table, key in KEYS.items()}


def missing_ends(read: Read) -> dict[str, int]:
    """Number of rows of visual_evidence whose image or text does not exist, by the table that lacks it."""
    evidence = read("visual_evidence")
    missing = {"images": len(evidence.join(read("images"), on="image_id", how="anti"))}
    for kind, (table, key) in TEXT_TABLES.items():
        rows = evidence.filter(text_kind=kind)
        missing[table] = len(rows.join(read(table), left_on="text_id", right_on=key, how="anti"))
    return missing


def bad_scores(read: Read) -> dict[str, int]:
    """Number of rows of visual_evidence by what is wrong with their numbers; an unscored pair is null, not wrong."""
    evidence = read("visual_evidence")
    finite = pl.col("log_odds").is_finite() & pl.col("score").is_between(0, 10) & pl.col("confidence").is_between(0, 1)
    return {"not finite or out of range": len(evidence.filter(~finite))}


def _blocking(name: str, description: str, problems: Callable[[Read], dict[str, int]]) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset="visual_evidence", name=name, description=description, blocking=True, partitions_def=collection_partitions
    )
    def check(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
        store = tables.store()
        found = problems(lambda table: store.scan(table, context.partition_key).collect())
        passed = not any(found.values())
        return dg.AssetCheckResult(
            passed=passed, metadata=dict(found), description=None if passed else f"{found}. {REMEDY}"
        )

    return check


checks = [
    _blocking("keys_are_unique", "Each pair stands once in each table.", doubled_keys),
    _blocking("ends_exist", "Every image and text that evidence names exists.", missing_ends),
    _blocking("scores_are_finite", "Every score is a number in its range.", bad_scores),
]
