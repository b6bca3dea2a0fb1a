"""The checks: some stand before the graph, and when one fails it is not written; the others warn."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg
import polars as pl

from kg_pipeline.graph import WANTED_TABLES, verify, verify_counts, wanted_graph
from kg_pipeline.orchestration.partitions import collection_partitions
from kg_pipeline.orchestration.watching import RULES, Rule, Subject
from kg_pipeline.storage import SchemaError, TableStore
from kg_pipeline.tables import TABLES
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables

Read = Callable[[str], pl.DataFrame]
Problems = Callable[[TableStore, str], dict[str, int]]
"""Of a collection: how many, by what is wrong."""

PAIR = ("image_id", "text_kind", "text_id")
KEYS = {"candidate_pairs": PAIR, "pair_scores": PAIR, "visual_evidence": ("type", *PAIR)}
TEXT_TABLES = {
    "chunk": ("chunks", "chunk_id"),
    "document": ("documents", "document_id"),
    "concept": ("concepts", "concept_id"),
}
REMEDY = "Materialize the upstream assets of this collection again; if it persists, a strategy or scorer is at fault."

OTHER_GRAPH_REMEDY = (
    "Somebody else wrote to it, or a run is under way. Launch knowledge_graph again with `full_refresh: true`, or "
    "`kg-pipeline run --full-refresh`; `kg-pipeline graph verify` names the rows"
)
ROWS_COMPARED = 50_000
"""Nodes and relationships that are read back row by row after every run, in some ten seconds."""


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


def other_schemas(store: TableStore, collection: str) -> dict[str, int]:
    """1 for each table of another schema that cannot be read as one of today's."""
    found = {}
    for table in TABLES.values():
        if store.exists(table.name, collection):
            try:
                store.scan(table.name, collection)
            except SchemaError:
                found[table.name] = 1
    return found


def _over_frames(problems: Callable[[Read], dict[str, int]]) -> Problems:
    return lambda store, collection: problems(lambda table: store.scan(table, collection).collect())


@dataclass(frozen=True)
class Barrier:
    """A check of visual_evidence that the graph is not written without."""

    name: str
    description: str
    problems: Problems
    remedy: str = REMEDY


BARRIERS = (
    Barrier("keys_are_unique", "Each pair stands once in each table.", _over_frames(doubled_keys)),
    Barrier("ends_exist", "Every image and text that evidence names exists.", _over_frames(missing_ends)),
    Barrier("scores_are_finite", "Every score is a number in its range.", _over_frames(bad_scores)),
    Barrier(
        "tables_fit_their_schema",
        "Every table can be read as one of this version: none is of a schema that lacks what is needed.",
        other_schemas,
        "`kg-pipeline upgrade` sets these tables aside; the next run makes them again.",
    ),
)


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            barrier.name,
            asset="visual_evidence",
            description=barrier.description,
            blocking=True,
            partitions_def=collection_partitions,
        )
        for barrier in BARRIERS
    ],
    can_subset=True,
)
def sound_evidence(context: dg.AssetCheckExecutionContext, tables: Tables) -> Iterator[dg.AssetCheckResult]:
    """Stop a run whose evidence is not sound. One step for all: a process each would cost more than they do."""
    store, asset = tables.store(), dg.AssetKey("visual_evidence")
    for barrier in BARRIERS:
        if dg.AssetCheckKey(asset, barrier.name) in context.selected_asset_check_keys:
            found = barrier.problems(store, context.partition_key)
            passed = not any(found.values())
            yield dg.AssetCheckResult(
                asset_key=asset,
                check_name=barrier.name,
                passed=passed,
                metadata=dict(found),
                description=None if passed else f"{found}. {barrier.remedy}",
            )


def _spec(rule: Rule) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.name, asset=rule.asset, description=rule.description, partitions_def=collection_partitions
    )


@dg.multi_asset_check(specs=[_spec(rule) for rule in RULES], can_subset=True)
def watched_tables(
    context: dg.AssetCheckExecutionContext, collections: Collections, tables: Tables
) -> Iterator[dg.AssetCheckResult]:
    """Warn of what a person should look at."""
    collection, instance = context.partition_key, context.instance

    def said(asset: str) -> Mapping[str, object]:
        """Metadata of the newest materialization of this collection."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[collection])
        for record in instance.fetch_materializations(wanted, limit=1).records:
            if record.asset_materialization:
                return {key: value.value for key, value in record.asset_materialization.metadata.items()}
        return {}

    subject = Subject(collections.get(collection), tables.store(), said)
    for rule in RULES:
        key = dg.AssetCheckKey(dg.AssetKey(rule.asset), rule.name)
        if key in context.selected_asset_check_keys:
            found = rule.find(subject)
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=found.passed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata=dict(found.figures),
                description=None if found.passed else found.text,
            )


class CompareConfig(dg.Config):
    """How closely to look, in the launchpad."""

    every_row: bool | None = None
    """None: every row of a collection of at most ROWS_COMPARED, the counts of a larger one."""


@dg.asset_check(
    asset="knowledge_graph",
    description="The graph, asked again, holds what the tables say: row by row, or of a large collection the counts.",
    partitions_def=collection_partitions,
)
def graph_equals_tables(
    context: dg.AssetCheckExecutionContext, config: CompareConfig, tables: Tables, graph: Graph
) -> dg.AssetCheckResult:
    """Read the graph back and compare; nothing the sync noted is believed."""
    name, store = context.partition_key, tables.store()
    wanted = wanted_graph(name, {table: store.scan(table, name).collect() for table in WANTED_TABLES})
    every_row = wanted.size <= ROWS_COMPARED if config.every_row is None else config.every_row
    with graph.connect() as connection:
        found = (verify if every_row else verify_counts)(connection, name, wanted)
    parts = {
        part.name: f"{part.missing} missing, {part.extra} too many, {part.differing} differ" for part in found.parts
    }
    return dg.AssetCheckResult(
        passed=found.identical,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"compared": "every row" if every_row else "counts", "rows": wanted.size, **parts},
        description=None if found.identical else f"{parts or 'a run is under way or was killed'}. {OTHER_GRAPH_REMEDY}",
    )


checks = [sound_evidence, watched_tables, graph_equals_tables]
