"""References that lead nowhere or look wrong, and sources that could not be read."""

import math

import polars as pl

from kg_pipeline.tables import TABLES

BROKEN_STATUSES = ("missing", "outside_root", "unsupported", "remote")
"""A reader without the network, or with no more than the collection, does not see these pictures."""

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
