"""The partitions: one per collection, added and removed as collections come and go."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

collection_partitions = dg.DynamicPartitionsDefinition(name="collections")

# One run per collection: several in one run would share one failure, and Dagster's single_run makes one run per
# contiguous range of keys anyway, so a scattered backfill would be many.
by_collection: dict[str, Any] = {
    "partitions_def": collection_partitions,
    "backfill_policy": dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
}


def sync_partitions(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Make the partition keys of `instance` exactly `names`. What was materialized for others stays on disk."""
    wanted, present = set(names), set(instance.get_dynamic_partitions("collections"))
    instance.add_dynamic_partitions("collections", sorted(wanted - present))
    for name in sorted(present - wanted):
        instance.delete_dynamic_partition("collections", name)
