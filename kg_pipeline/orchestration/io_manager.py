"""Asset values as tables: an asset called like a table is stored in the table store, and read from it lazily."""

import hashlib
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from kg_pipeline.config import Limits
from kg_pipeline.images import thumbnail
from kg_pipeline.orchestration.metadata import THUMBNAIL_SIDE, sample, table_metadata
from kg_pipeline.storage import SchemaError, TableStore, row_changes
from kg_pipeline.tables import TABLES
from resources.collections import Collections
from resources.tables import Tables


class TableIOManager(dg.ConfigurableIOManager):
    """Writes a frame as `HOME/tables/<asset>/<partition>.parquet`; inputs are LazyFrames of it.

    Dagster's UPath-based managers hand over a dict or a frame depending on how many partitions there are, and
    dagster-polars reads only with polars 1; a run here has one partition, so this stays small.
    """

    tables: dg.ResourceDependency[Tables]
    collections: dg.ResourceDependency[Collections]

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame) -> None:
        """Replace the table of this partition. Raises TableError when the frame does not fit its schema."""
        table, collection, store = context.asset_key.to_user_string(), context.partition_key, self.tables.store()
        before = known_table(store, table, collection)
        rows = store.write(table, collection, obj)
        path = store.path(table, collection)
        # Dagster takes the version of an output from the step that made it; nobody else knows what was written.
        context.step_context.set_data_version(context.asset_key, table_version(path))
        changes = row_changes(TABLES[table], before, rows) if before is not None else None
        settings = self.collections.get(collection)
        shows = partial(_thumbnail, store, collection, settings.limits) if settings.show_content_in_metadata else None
        context.add_output_metadata({**table_metadata(path, rows, changes), "sample": sample(rows, shows)})

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """The table of this partition, lazily. Raises MissingTableError when it was never materialized."""
        return self.tables.store().scan(context.asset_key.to_user_string(), context.partition_key)


def table_version(path: Path) -> dg.DataVersion:
    """Hash of the file: the same rows are the same bytes, so that an unchanged table makes nothing stale."""
    with path.open("rb") as file:
        return dg.DataVersion(hashlib.file_digest(file, "sha256").hexdigest()[:32])


def known_table(store: TableStore, table: str, collection: str) -> pl.DataFrame | None:
    """The table as the last run left it; None when that was never, or in another form (an older version's)."""
    if not store.exists(table, collection):
        return None
    try:
        return store.scan(table, collection).collect()
    except SchemaError:
        return None


def _thumbnail(store: TableStore, collection: str, limits: Limits, image_id: str) -> str | None:
    files = store.scan("image_files", collection).filter(pl.col("image_id") == image_id, pl.col("uri").is_not_null())
    uris = files.select("uri").head(1).collect()["uri"].to_list()
    return thumbnail(uris[0], limits, THUMBNAIL_SIDE) if uris else None
