"""Sensors of a line or two. Those that request runs start stopped: a person switches them on."""

import dagster as dg

from kg_pipeline.config import ConfigError
from kg_pipeline.ids import sha256_text
from kg_pipeline.orchestration.dead_runs import release_dead_runs
from kg_pipeline.orchestration.jobs import whole_path
from kg_pipeline.orchestration.partitions import collection_partitions
from resources.collections import Collections


@dg.sensor(
    job=whole_path,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Keeps the partitions in step with the configured collections and runs each new one once.",
)
def new_collections(context: dg.SensorEvaluationContext, collections: Collections) -> dg.SensorResult:
    """Add partitions of new collections with a run each; remove those of collections that are gone."""
    try:
        configured, broken = collections.read()
    except ConfigError as error:
        return dg.SensorResult(skip_reason=f"the configuration is not valid, partitions stay as they are: {error}")
    present = set(context.instance.get_dynamic_partitions("collections"))
    new, gone = sorted(set(configured) - present), sorted(present - set(configured) - set(broken))
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if new:
        requests.append(collection_partitions.build_add_request(new))
    if gone:
        requests.append(collection_partitions.build_delete_request(gone))
    state = f"{len(present)} collections, none new, none gone"
    return dg.SensorResult(
        dynamic_partitions_requests=requests,
        # The configuration is in the key: a collection that was removed and comes back changed runs again.
        run_requests=[
            dg.RunRequest(partition_key=name, run_key=f"{name}:{sha256_text(configured[name].model_dump_json())[:16]}")
            for name in new
        ],
        skip_reason=None if new or gone else "; ".join([state, *map(str, broken.values())]),
    )


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed on this machine, and frees the slots of pools that they hold.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never requests a run; the reason of the tick says what it found."""
    return dg.SkipReason(f"{release_dead_runs(context.instance)} runs of killed processes ended")
