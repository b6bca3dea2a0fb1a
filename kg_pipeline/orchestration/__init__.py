"""The Dagster parts that are not assets or resources: partitions, IO manager, checks, jobs, schedules, sensors."""

import warnings

# Partitioned checks are a preview feature of Dagster 1.13 that this project uses knowingly.
warnings.filterwarnings("ignore", message="Specifying a partitions_def on an AssetCheckSpec")
