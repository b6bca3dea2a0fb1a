"""Taking references out, as if the documents did not say them, to measure how well they are found again."""

import logging
from pathlib import Path

import polars as pl

from kg_pipeline.documents.errors import DocumentError

COLUMNS = ("document", "image")

_log = logging.getLogger(__name__)


def hide_references(references: pl.DataFrame, image_files: pl.DataFrame, listed: Path) -> pl.DataFrame:
    """`references` with those named in the CSV `listed` hidden: every path with the same bytes, alt and caption too.

    Raises DocumentError when the file cannot be read or lacks a column.
    """
    pairs = _read(listed)
    ids = image_files.select(image="path", hidden_id="image_id")
    hidden = pairs.join(ids, on="image", how="left").with_row_index("row")
    numbered = references.with_row_index("reference")
    by_id = numbered.join(
        hidden.filter(pl.col("hidden_id").is_not_null()),
        left_on=["document_path", "image_id"],
        right_on=["document", "hidden_id"],
    )
    by_path = numbered.join(hidden, left_on=["document_path", "image_path"], right_on=["document", "image"])
    matched = pl.concat([by_id.select("reference", "row"), by_path.select("reference", "row")])
    unmatched = len(hidden) - matched["row"].n_unique()
    if unmatched:
        _log.warning("%s: %d of %d rows name no reference of this collection", listed, unmatched, len(hidden))
    is_hidden = pl.col("reference").is_in(matched["reference"].unique().implode())
    return numbered.with_columns(
        pl.when(is_hidden).then(pl.lit("hidden")).otherwise("status").alias("status"),
        *(pl.when(~is_hidden).then(name).alias(name) for name in ("alt", "caption")),
    ).drop("reference")


def _read(listed: Path) -> pl.DataFrame:
    try:
        frame = pl.read_csv(listed, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DocumentError(
            f"hide_references: cannot read {listed}: {error}; give a CSV with the columns {', '.join(COLUMNS)}"
        ) from error
    lacking = [name for name in COLUMNS if name not in frame.columns]
    if lacking:
        raise DocumentError(
            f"hide_references: {listed} lacks the column {', '.join(lacking)} (it has: {', '.join(frame.columns)}); "
            f"give a CSV with the columns {', '.join(COLUMNS)}"
        )
    return frame.select(COLUMNS).unique(maintain_order=True)
