"""The HTML gallery: one file that shows orphans, broken references and evidence, and needs no network."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import polars as pl

from kg_pipeline.orphans import incomplete_sources, missing_references, questionable_references
from kg_pipeline.reports.blind_spots import is_scored_without_pixels, pictures_without_text
from kg_pipeline.reports.cards import (
    CLOSE_POINTS,
    REASONS,
    Tables,
    evidence_cards,
    orphan_cards,
    questionable_cards,
)
from kg_pipeline.reports.page import render, write_page
from kg_pipeline.reports.views import Pictures, meanings
from kg_pipeline.tables import TABLES

TABLES_SHOWN = (
    "documents", "chunks", "references", "image_files", "images", "image_texts", "concepts", "visual_evidence",
    "orphan_images",
)  # fmt: skip
PAGE_BYTES = 10_000_000
PICTURES_PER_SECTION = 500
"""At most; fewer where passages and paths are so long that the page would grow beyond PAGE_BYTES."""
ROWS_PER_LIST = 1_000
"""Of the lists without pictures: broken references, pictures without text."""

STATUSES: Mapping[str, str] = {
    "missing": "no such file",
    "outside_root": "outside the collection",
    "unsupported": "not a kind of picture we read",
    "remote": "on another server, never fetched",
}


def write_gallery(
    path: Path,
    collection_name: str,
    tables: Mapping[str, pl.DataFrame],
    thumbnail: Callable[[str], str | None],
    *,
    pictures_per_section: int = PICTURES_PER_SECTION,
) -> Path:
    """Write the gallery of a collection to `path`, atomically, and return `path`.

    `tables` are frames by table name (TABLES_SHOWN; a missing one counts as empty). `thumbnail` gives a data: address
    for a picture's uri, or None. The page stays below PAGE_BYTES: pictures are capped per section, thumbnails in all,
    and what is left out is counted on the page. Raises ReportError.
    """
    shown = {name: tables.get(name, TABLES[name].empty()) for name in TABLES_SHOWN}
    thumbnail = cache(thumbnail)
    html = _page(collection_name, shown, Pictures(shown["image_files"], thumbnail), pictures_per_section)
    while len(html) > PAGE_BYTES and pictures_per_section > 1:
        pictures_per_section = pictures_per_section * 4 // 5
        html = _page(collection_name, shown, Pictures(shown["image_files"], thumbnail), pictures_per_section)
    return write_page(path, html)


def _page(collection_name: str, tables: Tables, pictures: Pictures, cap: int) -> bytes:
    orphans, evidence = tables["orphan_images"], tables["visual_evidence"]
    broken = missing_references(tables["references"])
    questionable = questionable_references(tables["references"], evidence)
    kept = _kept(evidence)
    orphan_list = orphan_cards(tables, pictures, cap)
    content = tables["images"].filter(pl.col("role") == "content")
    without_pixels = is_scored_without_pixels(evidence)
    blind = (
        pictures_without_text(tables["images"], tables["image_texts"], tables["references"]) if without_pixels else []
    )
    names = set(kept["contributions"].explode().drop_nulls().struct.field("name"))
    return render(
        "gallery.html.j2",
        ("gallery.css",),
        "gallery.js",
        collection=collection_name,
        counts=_counts(tables, kept, broken, questionable),
        incomplete=incomplete_sources(tables["documents"], tables["image_files"]),
        without_pixels=without_pixels,
        blind=blind[:ROWS_PER_LIST],
        blind_count=len(blind),
        reasons=REASONS,
        reason_counts=Counter(orphans["reason"].to_list()),
        orphans=orphan_list,
        orphans_shown=sum(card.count for card in orphan_list),
        orphan_count=orphans.height,
        statuses=STATUSES,
        broken=broken.sort("document_path", "line").head(ROWS_PER_LIST).to_dicts(),
        broken_count=broken.height,
        questionable=questionable_cards(tables, questionable.head(cap), pictures),
        questionable_count=questionable.height,
        evidence=evidence_cards(tables, kept, pictures, cap),
        evidence_count=kept["image_id"].n_unique(),
        without_evidence=content.join(kept, on="image_id", how="anti").height,
        close_points=CLOSE_POINTS,
        features=meanings(names),
        thumbnails_left_out=pictures.left_out,
    )


def _counts(tables: Tables, kept: pl.DataFrame, broken: pl.DataFrame, questionable: pl.DataFrame) -> dict[str, int]:
    documents = tables["documents"].filter(pl.col("format") != "folder")
    return {
        "documents": documents.height,
        "passages": tables["chunks"].height,
        "picture files": tables["image_files"].filter(pl.col("status") != "unlistable").height,
        "used by documents": tables["references"]
        .filter(pl.col("status") == "ok")["image_path"]
        .drop_nulls()
        .n_unique(),
        "kept passages": kept.filter(pl.col("text_kind") == "chunk").height,
        "orphans": tables["orphan_images"].height,
        "suggestions": tables["orphan_images"]["suggestion_group"].drop_nulls().n_unique(),
        "broken references": broken.height,
        "questionable": questionable.height,
    }


def _kept(evidence: pl.DataFrame) -> pl.DataFrame:
    """The rows that are edges: of each picture passages first, then documents, then concepts."""
    kind = pl.col("text_kind").replace_strict({"chunk": 0, "document": 1, "concept": 2}, return_dtype=pl.Int64)
    return evidence.filter("kept").sort("image_id", kind, "rank")
