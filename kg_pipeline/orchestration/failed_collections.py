"""A check that says which collections failed in their last run, and what to do: one place to look at in the morning."""

from collections.abc import Sequence

import dagster as dg

from kg_pipeline.ids import sha256_text
from kg_pipeline.orchestration.partitions import collection_partitions

LAST_ASSET = dg.AssetKey("knowledge_graph")
"""A run that fails anywhere on the path does not bring this one."""
NAMED = 20

# Not on knowledge_graph itself: every run of a collection would evaluate it for all of them.
collections_file = dg.AssetSpec(
    "collections",
    description="What is configured: collections.yaml, and what `kg-pipeline run --documents` registered.",
    group_name="ingestion",
    kinds={"yaml"},
    owners=["team:knowledge-graph"],
)
CHECK = "no_collection_failed"
RECOVERY = """\
1. Open the last run of one of them (*Runs*, filter `tag:dagster/partition={first}`): the first red step says what is
   wrong and what to do. Often all failed for the same reason, such as a server that is away.
2. Repair it.
3. *Catalog → knowledge_graph → Materialize…*, under *Partition selection* choose *Failed*, select the upstream assets
   too, *Launch backfill*. What was done before is not done again: scores come from the ledger, equal rows of the graph
   are not written.

Until then the graph shows these collections as they last were. Automation tries an input three times, then waits until
its files change or a run by hand succeeds.
"""


@dg.asset_check(asset=collections_file.key, name=CHECK, description="Collections whose last run failed.")
def no_collection_failed(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Look at the last run of each collection."""
    found = _evaluation(failed_collections(context.instance), context.instance)
    return dg.AssetCheckResult(passed=found.passed, severity=found.severity, metadata=found.metadata)


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the check no_collection_failed of `collections` up to date; requests no runs.",
)
def failures(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Record an evaluation when the set of failed collections is not what it was."""
    failed = failed_collections(context.instance)
    cursor = sha256_text("\n".join(failed))[:16]
    if cursor == context.cursor:
        return dg.SensorResult(cursor=cursor, skip_reason=f"{len(failed)} collections failed, as before")
    evaluation = _evaluation(failed, context.instance)
    return dg.SensorResult(cursor=cursor, asset_events=[evaluation], skip_reason=f"{len(failed)} collections failed")


def failed_collections(instance: dg.DagsterInstance) -> list[str]:
    """Collections whose last run was to bring the graph, and did not."""
    names = sorted(instance.get_dynamic_partitions("collections"))
    statuses = instance.get_status_by_partition(LAST_ASSET, names, collection_partitions) or {}
    return [name for name in names if (status := statuses.get(name)) and status.name == "FAILED"]


def _evaluation(failed: Sequence[str], instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    metadata: dict[str, dg.MetadataValue] = {
        "failed": dg.MetadataValue.int(len(failed)),
        "collections": dg.MetadataValue.int(len(instance.get_dynamic_partitions("collections"))),
    }
    if failed:
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        metadata["names"] = dg.MetadataValue.text(", ".join(failed[:NAMED]) + more)
        metadata["recovery"] = dg.MetadataValue.md(RECOVERY.format(first=failed[0]))
    return dg.AssetCheckEvaluation(
        asset_key=collections_file.key,
        check_name=CHECK,
        passed=not failed,
        metadata=metadata,
        severity=dg.AssetCheckSeverity.WARN,
    )
