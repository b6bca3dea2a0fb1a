"""What Dagster shows of a table beside its rows on disk: columns and their origin, a sample, differences, plots."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import polars as pl

from kg_pipeline.config import Settings
from kg_pipeline.lineage import LINEAGE
from kg_pipeline.reports import Plot
from kg_pipeline.storage import Changes
from kg_pipeline.tables import TABLES

SAMPLE_ROWS = 5
SAMPLE_WIDTH = 80
THUMBNAIL_SIDE = 64
THUMBNAIL_CHARACTERS = 8_000
"""A WebP of 64 pixels takes some 1,500. Metadata stays in the event log for good and is read at every visit."""
PLOT_CHARACTERS = 24_000

CONTENT = frozenset(
    {"title", "heading_path", "text", "alt", "caption", "name", "aliases", "alias", "description", "key_value"}
    | {"reason", "written", "embedding"}
)
"""Columns with what documents and pictures say: metadata outlives them in the event log and is read by more people."""

Thumbnail = Callable[[str], str | None]
"""image_id → data: address of a small picture."""


def table_metadata(path: Path, rows: pl.DataFrame, changes: Changes | None = None) -> dict[str, Any]:
    """Number of rows, file and its size, where the columns come from, what changed since the last run."""
    table, collection = path.parent.name, path.stem
    found: dict[str, Any] = {
        "dagster/partition_row_count": len(rows),
        "path": dg.MetadataValue.path(str(path)),
        "bytes": path.stat().st_size,
        **column_lineage(table),
    }
    if changes:
        found |= {"rows_added": changes.added, "rows_changed": changes.changed, "rows_removed": changes.removed}
    return found | {"table": f"kg-pipeline tables {table} --collection {collection} --format json"}


def sample(rows: pl.DataFrame, thumbnail: Thumbnail | None = None) -> dg.MarkdownMetadataValue:
    """The first rows. Without `thumbnail` their content is left out; with it they are shown whole, with pictures."""
    first = rows.head(SAMPLE_ROWS)
    if thumbnail is None:
        return dg.MetadataValue.md(markdown_table(without_content(first)))
    pictures = [_picture(image_id, thumbnail) for image_id in first["image_id"]] if "image_id" in first.columns else []
    return dg.MetadataValue.md(markdown_table(first, {"picture": pictures} if any(pictures) else {}))


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
    """The columns of a table as Dagster shows them.

    The UI of Dagster's open source draws no column lineage, so that each column also says in words where it comes from.
    """
    key, origins = set(TABLES[table].key), LINEAGE.get(table, {})
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.dtype),
                description=_with_origin(column.doc, origins.get(column.name, ())),
                constraints=dg.TableColumnConstraints(nullable=column.name not in key),
                tags={"key": ""} if column.name in key else None,
            )
            for column in TABLES[table].columns
        ]
    )


def column_lineage(table: str) -> dict[str, dg.TableColumnLineage]:
    """The entry with the columns that those of a table come from; none where a table comes from files alone."""
    columns = LINEAGE.get(table)
    if not columns:
        return {}
    return {
        "dagster/column_lineage": dg.TableColumnLineage(
            {column: [_source(origin) for origin in origins] for column, origins in columns.items()}
        )
    }


def plot_metadata(plots: Iterable[Plot | None]) -> dict[str, dg.MarkdownMetadataValue]:
    """An entry per plot with the drawing itself; one that is too large says so."""
    found = {}
    for plot in plots:
        if plot is None:
            continue
        address = plot.data_uri()
        drawn = f"![{plot.title}]({address})" if len(address) <= PLOT_CHARACTERS else "*too large to keep here*"
        found[plot.title] = dg.MetadataValue.md(f"{drawn}\n\n{plot.note}")
    return found


def page_metadata(name: str, file: Path, address: str | None) -> dict[str, Any]:
    """A page that was written: its file, and its address where something serves it.

    A browser opens no file from a page that came over http, so that a path is only there to copy.
    """
    link: dict[str, Any] = {f"open {name}": dg.MetadataValue.url(address)} if address else {}
    return link | {name: dg.MetadataValue.path(str(file))}


def served_view(view: str, collection: str) -> dict[str, dg.UrlMetadataValue]:
    """Where `kg-pipeline serve` shows a view (pictures, passages, orphans) of a collection; nothing without a server.

    What follows the view is how its page reads addresses (serving/page/app.js).
    """
    server = Settings().serve_url
    if not server:
        return {}
    address = f"{server.rstrip('/')}/#/{view}/{quote(collection, safe='')}"
    return {f"open {view} in kg-pipeline serve": dg.MetadataValue.url(address)}


def markdown_table(rows: pl.DataFrame, first: Mapping[str, list[str]] | None = None) -> str:
    """A few rows as a Markdown table, long values cut; `first` are columns of Markdown that stand before them."""
    if rows.is_empty():
        return "*no rows*"
    before = dict(first or {})
    cells = [[_cell(value) for value in row] for row in rows.iter_rows()]
    ready = [[column[number] for column in before.values()] for number in range(len(rows))]
    lines = [[*before, *rows.columns], ["---"] * (len(before) + rows.width)]
    lines += [[*pictures, *row] for pictures, row in zip(ready, cells, strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _picture(image_id: str | None, thumbnail: Thumbnail) -> str:
    address = thumbnail(image_id) if image_id else None
    return f"![{image_id}]({address})" if address and len(address) <= THUMBNAIL_CHARACTERS else ""


def _with_origin(doc: str, origins: tuple[str, ...]) -> str:
    return f"{doc} ← {', '.join(origins)}" if origins else doc


def _source(origin: str) -> dg.TableColumnDep:
    table, _, column = origin.partition(".")
    return dg.TableColumnDep(asset_key=dg.AssetKey(table), column_name=column)


def _cell(value: object) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
    return text if len(text) <= SAMPLE_WIDTH else text[: SAMPLE_WIDTH - 1] + "…"
