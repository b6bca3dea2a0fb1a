"""The knowledge graph in Neo4j."""

from dataclasses import asdict

import dagster as dg

from kg_pipeline.graph import RELATIONSHIPS, WANTED_TABLES, blocked_deletes, count_graph, sync, wanted_graph
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables


@dg.asset(
    description="The collection in Neo4j, exactly as its tables say: nodes, weighted edges, the orphan report.",
    **by_collection,
    group_name="graph",
    kinds={"neo4j"},
    owners=["team:knowledge-graph"],
    pool="neo4j_write",
    code_version="1",
    deps=list(WANTED_TABLES),
)
def knowledge_graph(
    context: dg.AssetExecutionContext, collections: Collections, tables: Tables, graph: Graph
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
            deletes_blocked=blocked_deletes(frames["documents"], frames["image_files"]),
        )
        counts = count_graph(connection, collection.name)
    relationships = sum(count for name, count in counts.items() if name in RELATIONSHIPS)
    return dg.MaterializeResult(
        metadata={
            **asdict(report),
            "writes": report.writes,
            "address": connection.address,
            "nodes": sum(counts.values()) - relationships,
            "relationships": relationships,
            "counts": counts,
        }
    )
