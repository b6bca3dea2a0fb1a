"""How a table becomes an asset: one place for the properties that all table assets share."""

from datetime import timedelta
from typing import Any

import dagster as dg

from kg_pipeline.orchestration.metadata import column_schema
from kg_pipeline.tables import TABLES

# Raise when the rows of a table change for unchanged input; Dagster then shows what is stale. (Its default is the
# run id, which would make everything always stale.)
CODE_VERSION = "1"


# Dagster asks of an asset, not of a partition: any collection keeps it fresh. The check tables_are_up_to_date asks of
# each collection whether its files have changed. Two nights may fail before somebody is warned.
expected_nightly = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=2.5), fail_window=timedelta(days=8))


def table_asset(table: str) -> dict[str, Any]:
    """Keyword arguments of `dg.asset` or `dg.AssetOut` for the asset of a table."""
    return {
        "description": TABLES[table].doc,
        "metadata": {"dagster/column_schema": column_schema(table)},
        "kinds": {"polars", "parquet"},
        "code_version": CODE_VERSION,
        "owners": ["team:knowledge-graph"],
    }


def table_outs(*tables: str) -> dict[str, dg.AssetOut]:
    """Outputs of a multi-asset that makes several tables."""
    return {table: dg.AssetOut(key=table, **table_asset(table)) for table in tables}
