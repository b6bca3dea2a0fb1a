"""The Dagster parts that are not assets or resources: partitions, IO manager, checks, jobs, schedules, sensors."""

import warnings

# Two features of Dagster 1.13 that this project uses knowingly; any other beta or preview feature still warns.
for feature in ("Parameter `backfill_policy`", "Specifying a partitions_def on an AssetCheckSpec"):
    warnings.filterwarnings("ignore", message=feature)
