"""The knowledge graph in Neo4j."""

from dataclasses import asdict

import dagster as dg
from pydantic import Field

from kg_pipeline.embedding import dimensions_of
from kg_pipeline.graph import (
    RELATIONSHIPS,
    WANTED_TABLES,
    blocked_deletes,
    count_graph,
    create_search_indexes,
    sync,
    wanted_graph,
)
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from kg_pipeline.orchestration.table_assets import expected_nightly
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables


class SyncConfig(dg.Config):
    """What a person may allow for one run, in the launchpad or on the command line."""

    allow_mass_delete: bool = Field(False, description="delete more than half of the collection when the plan says so")
    full_refresh: bool = Field(
        False, description="read the graph back and write every row again, also those that are as wanted"
    )


@dg.asset(
    description="The collection in Neo4j, exactly as its tables say: nodes, weighted edges, the orphan report.",
    **by_collection,
    group_name="graph",
    kinds={"neo4j"},
    owners=["team:knowledge-graph"],
    pool="neo4j_write",
    freshness_policy=expected_nightly,
    code_version="1",
    deps=list(WANTED_TABLES),
)
def knowledge_graph(
    context: dg.AssetExecutionContext, config: SyncConfig, collections: Collections, tables: Tables, graph: Graph
) -> dg.MaterializeResult:
    """Plan what differs from what was last synced, and apply it."""
    collection, store = collections.get(context.partition_key), tables.store()
    if collection.hide_references:
        raise dg.Failure(
            f"collection {collection.name} hides references to measure quality ({collection.hide_references}); "
            "such a run is never written to the graph. Remove hide_references and run again",
            allow_retries=False,
        )
    frames = {table: store.scan(table, collection.name).collect() for table in WANTED_TABLES}
    with graph.connect() as connection, logged_progress(context):
        report = sync(
            connection,
            collection.name,
            wanted_graph(collection.name, frames),
            home=tables.root,
            deletes_blocked=blocked_deletes(frames["documents"], frames["image_files"], frames["concepts"]),
            allow_mass_delete=config.allow_mass_delete,
            full_refresh=config.full_refresh,
        )
        indexes = create_search_indexes(connection, dimensions_of(frames["embeddings"]))
        counts = count_graph(connection, collection.name)
    for finding in indexes:
        if finding.state in {"in the way", "refused", "populating"}:
            context.log.warning("search index %s: %s %s", finding.index.name, finding.state, finding.advice)
    relationships = sum(count for name, count in counts.items() if name in RELATIONSHIPS)
    return dg.MaterializeResult(
        metadata={
            **asdict(report),
            "writes": report.writes,
            "address": connection.address,
            "nodes": sum(counts.values()) - relationships,
            "relationships": relationships,
            "counts": counts,
            "search_indexes": {finding.index.name: finding.state for finding in indexes},
        }
    )
