"""Asset values as tables: an asset called like a table is stored in the table store, and read from it lazily."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from kg_pipeline.tables import TABLES
from resources.tables import Tables

SAMPLE_ROWS = 5
SAMPLE_WIDTH = 80

CONTENT = frozenset(
    {"title", "heading_path", "text", "alt", "caption", "name", "aliases", "alias", "description", "key_value"}
    | {"reason", "embedding"}
)
"""Columns with what documents and pictures say: metadata outlives them in the event log and is read by more people."""


class TableIOManager(dg.ConfigurableIOManager):
    """Writes a frame as `HOME/tables/<asset>/<partition>.parquet`; inputs are LazyFrames of it.

    Dagster's UPath-based managers hand over a dict or a frame depending on how many partitions there are, and
    dagster-polars reads only with polars 1; a run here has one partition, so this stays small.
    """

    tables: dg.ResourceDependency[Tables]

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame) -> None:
        """Replace the table of this partition. Raises TableError when the frame does not fit its schema."""
        table = context.asset_key.to_user_string()
        rows = self.tables.store().write(table, context.partition_key, obj)
        context.add_output_metadata(table_metadata(self.tables.store().path(table, context.partition_key), rows))

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """The table of this partition, lazily. Raises MissingTableError when it was never materialized."""
        return self.tables.store().scan(context.asset_key.to_user_string(), context.partition_key)


def table_metadata(path: Path, rows: pl.DataFrame) -> dict[str, Any]:
    """What Dagster shows of a table that was written: number of rows, file, the first rows without content."""
    return {
        "dagster/partition_row_count": len(rows),
        "path": dg.MetadataValue.path(str(path)),
        "sample": dg.MetadataValue.md(markdown_table(without_content(rows.head(SAMPLE_ROWS)))),
    }


def without_content(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows with the length of each value in place of the value, where a column holds content."""
    return rows.with_columns(
        pl.format("*{} characters*", pl.col(name).str.len_chars()).alias(name)
        if dtype == pl.String
        else pl.format("*{} entries*", pl.col(name).list.len()).alias(name)
        for name, dtype in rows.schema.items()
        if name in CONTENT and (dtype == pl.String or isinstance(dtype, pl.List))
    )


def column_schema(table: str) -> dg.TableSchema:
    """The columns of a table as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, type=str(column.dtype), description=column.doc)
            for column in TABLES[table].columns
        ]
    )


def markdown_table(rows: pl.DataFrame) -> str:
    """A few rows as a Markdown table, long values cut."""
    if rows.is_empty():
        return "*no rows*"
    lines = [rows.columns, ["---"] * rows.width, *([_cell(value) for value in row] for row in rows.iter_rows())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
    return text if len(text) <= SAMPLE_WIDTH else text[: SAMPLE_WIDTH - 1] + "…"
