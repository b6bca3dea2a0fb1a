"""The partitions: one per collection, added and removed as collections come and go."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

collection_partitions = dg.DynamicPartitionsDefinition(name="collections")

# No backfill policy: Dagster's default is one run per partition, with the key in the run's tags. Several collections in
# one run would share one failure, and single_run makes one run per contiguous range of keys anyway.
by_collection: dict[str, Any] = {"partitions_def": collection_partitions}


def sync_partitions(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Make the partition keys of `instance` exactly `names`. What was materialized for others stays on disk."""
    wanted, present = set(names), set(instance.get_dynamic_partitions("collections"))
    instance.add_dynamic_partitions("collections", sorted(wanted - present))
    for name in sorted(present - wanted):
        instance.delete_dynamic_partition("collections", name)
