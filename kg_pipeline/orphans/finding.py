"""Picture files that no document uses: one reason each, and the passage that wants them."""

import polars as pl

from kg_pipeline.orphans.suggesting import with_suggestions
from kg_pipeline.tables import TABLES

UNREADABLE_STATUSES = ("unreadable", "skipped")


def find_orphans(
    image_files: pl.DataFrame,
    images: pl.DataFrame,
    references: pl.DataFrame,
    visual_evidence: pl.DataFrame,
    documents: pl.DataFrame,
) -> pl.DataFrame:
    """Table orphan_images: one row per image file that no reference with status `ok` resolves to.

    A hidden reference is no use. What could not be listed (a folder, an archive) is a gap in our knowledge, not an
    orphan: see `incomplete_sources`. A look-alike of a used picture (other bytes) keeps its reason; `near_duplicate_of`
    says what it resembles.
    """
    files = image_files.filter(pl.col("status") != "unlistable")
    used = references.filter(pl.col("status") == "ok")
    used_paths = used.select(path="image_path").drop_nulls().unique()
    orphans = (
        files.join(used_paths, on="path", how="anti")
        .join(_used_copies(files, used_paths), on="image_id", how="left")
        .join(images.select("image_id", "role", "duplicate_group"), on="image_id", how="left")
        .join(_used_look_alikes(files, used_paths, images), on="duplicate_group", how="left")
        .join(_best_passages(visual_evidence, documents), on="image_id", how="left")
        .with_columns(reason=_reason())
    )
    with_passage = pl.col("reason").is_in(["unreferenced_matched", "unmatched"])
    told = orphans.with_columns(
        duplicate_of=pl.when(pl.col("reason") == "duplicate").then("duplicate_of"),
        near_duplicate_of=pl.when(with_passage | (pl.col("reason") == "decorative")).then("near_duplicate_of"),
        **{
            name: pl.when(with_passage).then(name)
            for name in ("best_document_path", "best_chunk_id", "score", "confidence")
        },
    )
    table = TABLES["orphan_images"]
    return table.conform(with_suggestions(told, used, images).select(table.schema.names()))


def _used_copies(files: pl.DataFrame, used_paths: pl.DataFrame) -> pl.DataFrame:
    """Columns image_id, duplicate_of: the first used path of every content that is used at all."""
    used = files.join(used_paths, on="path", how="semi").filter(pl.col("image_id").is_not_null())
    return used.group_by("image_id").agg(duplicate_of=pl.col("path").min())


def _used_look_alikes(files: pl.DataFrame, used_paths: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Columns duplicate_group, near_duplicate_of: the first used path of every group of look-alikes."""
    groups = images.select("image_id", "duplicate_group").drop_nulls()
    used = files.join(used_paths, on="path", how="semi").join(groups, on="image_id")
    return used.group_by("duplicate_group").agg(near_duplicate_of=pl.col("path").min())


def _best_passages(visual_evidence: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """One row per image with evidence: its best kept passage, else its best passage.

    The first kept one, not simply rank 1: a person may have rejected rank 1 and left rank 2 standing.
    """
    return (
        visual_evidence.filter(pl.col("text_kind") == "chunk")
        .sort("image_id", "kept", "rank", descending=[False, True, False], nulls_last=True)
        .unique("image_id", keep="first", maintain_order=True)
        .join(documents.select("document_id", best_document_path="path"), on="document_id", how="left")
        .select("image_id", "best_document_path", "score", "confidence", "kept", best_chunk_id="text_id")
    )


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("status").is_in(UNREADABLE_STATUSES) | pl.col("image_id").is_null())
        .then(pl.lit("unreadable"))
        .when(pl.col("duplicate_of").is_not_null())
        .then(pl.lit("duplicate"))
        .when(pl.col("role") == "decorative")
        .then(pl.lit("decorative"))
        .when(pl.col("kept"))
        .then(pl.lit("unreferenced_matched"))
        .otherwise(pl.lit("unmatched"))
    )
