"""From the tables: the pictures of passages and concepts, each with what is said of it and how sure that is."""

from collections.abc import Iterable, Mapping

import polars as pl

from kg_pipeline.retrieval.hits import Picture
from kg_pipeline.verdicts import REJECTED, VERDICT_KEY, current_verdicts

SHOWN_TABLES = ("documents", "chunks", "references", "image_files", "images", "visual_evidence", "concepts", "verdicts")
"""What pictures of texts are looked up in."""

Tables = Mapping[str, pl.DataFrame]
COLUMNS = ("image_id", "path", "uri", "caption", "confidence", "score", "referenced", "reason")


def pictures_of_passages(tables: Tables) -> pl.DataFrame:
    """COLUMNS and chunk_id: kept evidence that nobody has rejected since, and what documents show themselves.

    Of what documents show, decorative pictures are left out.
    """
    kept = _kept(tables, "chunk").rename({"text_id": "chunk_id"})
    shown = _references(tables)
    both = shown.join(kept, on=["chunk_id", "image_id"], how="full", coalesce=True)
    return _described(both.with_columns(pl.col("referenced").fill_null(False)), tables).sort("chunk_id", "image_id")


def pictures_of_concepts(tables: Tables) -> pl.DataFrame:
    """COLUMNS and concept_id: kept evidence that nobody has rejected since."""
    kept = _kept(tables, "concept").rename({"text_id": "concept_id"})
    named = kept.with_columns(referenced=pl.lit(False), said=pl.lit(None, pl.String()), shown=pl.lit(None, pl.String()))
    return _described(named, tables).sort("concept_id", "image_id")


def pictures_from(rows: Iterable[Mapping[str, object]]) -> list[Picture]:
    """Pictures from rows that hold COLUMNS."""
    return [Picture(**{name: row[name] for name in COLUMNS}) for row in rows]  # type: ignore[arg-type]


def _kept(tables: Tables, kind: str) -> pl.DataFrame:
    """text_id, image_id, confidence, score, reason of kept rows."""
    said = current_verdicts(tables["verdicts"], tables)
    rejected = said.filter(verdict=REJECTED).select(VERDICT_KEY)
    kept = tables["visual_evidence"].filter("kept", text_kind=kind).join(rejected, on=VERDICT_KEY, how="anti")
    return kept.select("text_id", "image_id", "confidence", "score", "reason")


def _references(tables: Tables) -> pl.DataFrame:
    """chunk_id, image_id, said, shown (path as it is used there), referenced."""
    content = tables["images"].filter(role="content")
    return (
        tables["references"]
        .filter(status="ok")
        .drop_nulls(["chunk_id", "image_id"])
        .join(content, on="image_id", how="semi")
        .group_by("chunk_id", "image_id", maintain_order=True)
        .agg(said=_saying().drop_nulls().first(), shown=pl.col("image_path").drop_nulls().first())
        .with_columns(referenced=pl.lit(True))
    )


def _described(rows: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """`rows` with path, uri and caption; a caption from another place where there is none here."""
    elsewhere = (
        tables["references"]
        .filter(status="ok")
        .drop_nulls("image_id")
        .sort("document_path", "line")
        .group_by("image_id", maintain_order=True)
        .agg(said_elsewhere=_saying().drop_nulls().first())
    )
    files = tables["image_files"].select("path", "uri")
    return (
        rows.join(tables["images"].select("image_id", first_path="path"), on="image_id")
        .join(elsewhere, on="image_id", how="left")
        .with_columns(
            path=pl.coalesce("shown", "first_path"),
            caption=pl.coalesce("said", "said_elsewhere"),
        )
        .join(files, on="path", how="left")
        .drop("shown", "first_path", "said", "said_elsewhere")
    )


def _saying() -> pl.Expr:
    """The caption, else the alternative text; null where both are blank."""
    return pl.coalesce(*(pl.col(name).str.strip_chars().replace("", None) for name in ("caption", "alt")))
