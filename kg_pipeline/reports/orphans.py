"""What nothing uses and what points nowhere: orphan pictures, broken references, questionable illustrations."""

import math

import polars as pl

from kg_pipeline.tables import TABLES

BROKEN_STATUSES = ("missing", "outside_root", "unsupported", "remote")
"""A reader without the network, or with no more than the collection, does not see these pictures."""

UNREADABLE_STATUSES = ("unreadable", "skipped")

CLEARLY_PREFERRED_LOG_ODDS = math.log(9)
"""Another document is clearly preferred when its odds are nine times as good: 0.5 against 0.9."""

QUESTIONABLE_SCHEMA = pl.Schema(
    {
        "document_id": pl.String(),
        "document_path": pl.String(),
        "chunk_id": pl.String(),
        "line": pl.Int64(),
        "target": pl.String(),
        "image_path": pl.String(),
        "image_id": pl.String(),
        "score": pl.Float64(),
        "confidence": pl.Float64(),
        "preferred_document_id": pl.String(),
        "preferred_chunk_id": pl.String(),
        "preferred_score": pl.Float64(),
        "preferred_confidence": pl.Float64(),
        "log_odds_behind": pl.Float64(),
    }
)


def find_orphans(
    image_files: pl.DataFrame,
    images: pl.DataFrame,
    references: pl.DataFrame,
    visual_evidence: pl.DataFrame,
    documents: pl.DataFrame,
) -> pl.DataFrame:
    """Table orphan_images: one row per image file that no reference with status `ok` resolves to.

    A hidden reference is no use. What could not be listed (a folder, an archive) is a gap in our knowledge, not an
    orphan: see `incomplete_sources`.
    """
    files = image_files.filter(pl.col("status") != "unlistable")
    used_paths = references.filter(pl.col("status") == "ok").select(path="image_path").drop_nulls().unique()
    orphans = (
        files.join(used_paths, on="path", how="anti")
        .join(_used_copies(files, used_paths), on="image_id", how="left")
        .join(images.select("image_id", "role"), on="image_id", how="left")
        .join(_best_passages(visual_evidence, documents), on="image_id", how="left")
        .with_columns(reason=_reason())
    )
    suggested = pl.col("reason") == "unreferenced_matched"
    with_passage = suggested | (pl.col("reason") == "unmatched")
    return TABLES["orphan_images"].conform(
        orphans.with_columns(
            duplicate_of=pl.when(pl.col("reason") == "duplicate").then("duplicate_of"),
            **{
                name: pl.when(with_passage).then(name)
                for name in ("best_document_path", "best_chunk_id", "score", "confidence")
            },
        )
        .sort(suggested, "confidence", "path", descending=[True, True, False], nulls_last=True)
        .with_columns(suggestion_rank=pl.when(suggested).then(pl.int_range(1, pl.len() + 1)))
        .select(TABLES["orphan_images"].schema.names())
    )


def missing_references(references: pl.DataFrame) -> pl.DataFrame:
    """The references whose picture is missing, remote, outside the root or of an unsupported kind."""
    return TABLES["references"].conform(references.filter(pl.col("status").is_in(BROKEN_STATUSES)))


def questionable_references(references: pl.DataFrame, visual_evidence: pl.DataFrame) -> pl.DataFrame:
    """References whose picture has weak evidence for their document and clearly better evidence for another one.

    Weak: the pair of picture and document was not kept. Clearly better: the picture's first document was kept, does
    not use the picture itself, and is CLEARLY_PREFERRED_LOG_ODDS ahead. `chunk_id` is the passage that holds the
    reference, `preferred_chunk_id` the one that wants the picture. Worst first.
    """
    by_document = visual_evidence.filter(pl.col("text_kind") == "document")
    own = by_document.select("image_id", "document_id", "log_odds", "score", "confidence", "kept")
    preferred = by_document.filter((pl.col("rank") == 1) & pl.col("kept")).select(
        "image_id",
        preferred_document_id="document_id",
        preferred_chunk_id="best_chunk_id",
        preferred_log_odds="log_odds",
        preferred_score="score",
        preferred_confidence="confidence",
    )
    used = references.filter((pl.col("status") == "ok") & pl.col("image_id").is_not_null())
    uses = used.select("image_id", preferred_document_id="document_id").unique()
    questionable = (
        used.join(preferred.join(uses, on=["image_id", "preferred_document_id"], how="anti"), on="image_id")
        .join(own, on=["image_id", "document_id"])
        .with_columns(log_odds_behind=pl.col("preferred_log_odds") - pl.col("log_odds"))
        .filter(~pl.col("kept") & (pl.col("log_odds_behind") >= CLEARLY_PREFERRED_LOG_ODDS))
        .sort("log_odds_behind", "document_path", "line", "target", descending=[True, False, False, False])
    )
    return questionable.select(pl.col(name).cast(dtype) for name, dtype in QUESTIONABLE_SCHEMA.items())


def incomplete_sources(documents: pl.DataFrame, image_files: pl.DataFrame) -> list[str]:
    """A sentence for each source that could not be read, so that nobody takes 'found no use' for 'has no use'."""
    unread = documents.filter(pl.col("status") != "ok").sort("path")
    unlisted = image_files.filter(pl.col("status") == "unlistable").sort("path")
    return [_unread_document(row) for row in unread.iter_rows(named=True)] + [
        f"Pictures in {row['path']} are not listed: the folder, archive or manifest could not be read{_why(row)}."
        for row in unlisted.iter_rows(named=True)
    ]


def _used_copies(files: pl.DataFrame, used_paths: pl.DataFrame) -> pl.DataFrame:
    """Columns image_id, duplicate_of: the first used path of every content that is used at all."""
    used = files.join(used_paths, on="path", how="semi").filter(pl.col("image_id").is_not_null())
    return used.group_by("image_id").agg(duplicate_of=pl.col("path").min())


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


def _unread_document(row: dict[str, object]) -> str:
    path = row["path"] or "the documents root"
    if row["format"] == "folder":
        return f"Folder {path} could not be listed{_why(row)}: its documents may use pictures called unused here."
    if row["format"] == "graph" and row["key_value"] is None:
        return f"Not all documents of {path} in the graph were read{_why(row)}: they may use pictures called unused."
    if row["status"] == "stale":
        return f"Document {path} could not be read{_why(row)}: what it said last time is used."
    verb = "was skipped" if row["status"] == "skipped" else "could not be read"
    return f"Document {path} {verb}{_why(row)}: it may use pictures called unused here."


def _why(row: dict[str, object]) -> str:
    return f" ({row['error']})" if row["error"] else ""
