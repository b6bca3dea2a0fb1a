"""What the page shows of one picture, one passage, one orphan: values ready for JSON, every text still raw."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kg_pipeline.evidence.reasons import FINDINGS
from kg_pipeline.reports.views import waterfall
from kg_pipeline.serving.catalogue import Catalogue

EXCERPT_CHARACTERS = 280
PAIRS_SHOWN = 24
"""Pairs of one picture or passage; the best first. The rest is counted."""
READ_LINES = 40
"""Lines of text read in a picture."""

Row = dict[str, Any]
_PAIR = (
    "image_id", "text_kind", "text_id", "score", "confidence", "confidence_source", "log_odds", "rank", "margin_points",
    "image_rank", "image_margin_points", "strategies", "scorer", "kept", "reason",
)  # fmt: skip


def picture_rows(catalogue: Catalogue, collection: str, rows: pl.DataFrame) -> list[Row]:
    """Rows of the list of pictures, each with the place and the beginning of its best passage."""
    passages = _passages(catalogue, collection, rows["text_id"].drop_nulls().to_list())
    return [row | {"passage": passages.get(row["text_id"])} for row in rows.to_dicts()]


def passage_rows(catalogue: Catalogue, collection: str, rows: pl.DataFrame) -> list[Row]:
    """Rows of the list of passages, each with its place and its beginning."""
    passages = _passages(catalogue, collection, rows["chunk_id"].to_list())
    return [row | {"passage": passages.get(row["chunk_id"])} for row in rows.to_dicts()]


def orphan_rows(catalogue: Catalogue, collection: str, rows: pl.DataFrame) -> list[Row]:
    """Rows of the orphan queue, each with its passage whole, what adds up, and the pictures it resembles."""
    passages = _passages(catalogue, collection, rows["best_chunk_id"].drop_nulls().to_list(), whole=True)
    ids = dict(catalogue.files(collection).select("path", "image_id").iter_rows())
    wanted = rows.select("image_id", text_id="best_chunk_id").drop_nulls()
    evidence = catalogue.some(collection, "visual_evidence", "image_id", wanted["image_id"].to_list())
    pairs = evidence.filter(text_kind="chunk").join(wanted, on=["image_id", "text_id"], how="semi")
    of_pair = {(row["image_id"], row["text_id"]): _pair(row) for row in pairs.iter_rows(named=True)}
    shown = _shown_in(catalogue, collection, rows["best_chunk_id"].drop_nulls().to_list())
    return [
        row
        | {
            "passage": passages.get(row["best_chunk_id"]),
            "pair": of_pair.get((row["image_id"], row["best_chunk_id"])),
            "twin": _file(row["duplicate_of"] or row["near_duplicate_of"], ids),
            "shown": shown.get(row["best_chunk_id"], []),
        }
        for row in rows.to_dicts()
    ]


def picture_details(catalogue: Catalogue, collection: str, image_id: str) -> Row | None:
    """A picture with all its paths, the text read in it, where documents show it, and its passages and concepts."""
    found = catalogue.pictures(collection).filter(image_id=image_id).drop("search")
    if found.is_empty():
        return None
    evidence = catalogue.evidence(collection, image_id=image_id)
    pairs = evidence.filter(pl.col("text_kind") != "document").sort("text_kind", "rank", nulls_last=True)
    passages = _passages(catalogue, collection, pairs.filter(text_kind="chunk")["text_id"].to_list(), whole=True)
    concepts = _concepts(catalogue, collection, pairs.filter(text_kind="concept")["text_id"].to_list())
    said = _said(catalogue, collection, image_id=image_id)
    texts = catalogue.some(collection, "image_texts", "image_id", [image_id])
    read = texts.filter(pl.col("source").is_in(["ocr", "svg", "manifest", "description"]))["text"].to_list()
    uses = catalogue.some(collection, "references", "image_id", [image_id]).filter(status="ok")
    return found.to_dicts()[0] | {
        "paths": catalogue.files(collection).filter(image_id=image_id)["path"].sort().to_list(),
        "read": read[:READ_LINES],
        "uses": uses.select("document_path", "line", "chunk_id", "alt", "caption").to_dicts(),
        "pair_count": len(pairs),
        "pairs": [
            _pair(row)
            | {
                "passage": passages.get(row["text_id"]),
                "concept": concepts.get(row["text_id"]),
                "said": said.get((row["image_id"], row["text_id"])),
            }
            for row in _best(pairs).iter_rows(named=True)
        ],
    }


def passage_details(catalogue: Catalogue, collection: str, chunk_id: str) -> Row | None:
    """A passage, whole, with the pictures that its document shows there and those that fit it."""
    passages = _passages(catalogue, collection, [chunk_id], whole=True)
    if chunk_id not in passages:
        return None
    pairs = catalogue.evidence(collection, text_id=chunk_id).sort("image_rank", nulls_last=True)
    said = _said(catalogue, collection, text_id=chunk_id)
    wanted = pl.DataFrame({"image_id": pairs["image_id"]}, schema={"image_id": pl.String})
    pictures = catalogue.pictures(collection).join(wanted, on="image_id", how="semi")
    known = {row["image_id"]: row for row in pictures.select("image_id", "path", "width", "height", "used").to_dicts()}
    return {
        "chunk_id": chunk_id,
        "passage": passages[chunk_id],
        "shown": _shown_in(catalogue, collection, [chunk_id]).get(chunk_id, []),
        "pair_count": len(pairs),
        "pairs": [
            _pair(row) | {"picture": known.get(row["image_id"]), "said": said.get((row["image_id"], row["text_id"]))}
            for row in _best(pairs).iter_rows(named=True)
        ],
    }


def _best(pairs: pl.DataFrame) -> pl.DataFrame:
    """Kept ones first, so that the cut leaves none of them out."""
    return pairs.sort(~pl.col("kept"), maintain_order=True).head(PAIRS_SHOWN)


def _pair(row: Mapping[str, Any]) -> Row:
    """A pair of picture and text: its numbers, what speaks for it by name, and the steps of its waterfall."""
    said = str(row["reason"] or "").partition("; ")[0]
    return {name: row[name] for name in _PAIR} | {
        "findings": sorted((text for text in FINDINGS if text in said), key=said.index),
        "bars": [
            {"name": bar.name, "value": bar.value, "start": bar.start, "width": bar.width, "note": bar.note}
            for bar in waterfall(row["contributions"] or [])
        ],
    }


def _passages(catalogue: Catalogue, collection: str, ids: list[str], *, whole: bool = False) -> dict[str, Row]:
    """Document, headings, lines and text of passages, by id; only the beginning of the text unless `whole`."""
    chunks = catalogue.some(collection, "chunks", "chunk_id", ids)
    documents = catalogue.some(collection, "documents", "document_id", chunks["document_id"].to_list())
    placed = chunks.join(documents.select("document_id", "path", "title"), on="document_id", how="left")
    return {
        row["chunk_id"]: {
            "document": row["path"],
            "title": row["title"],
            "headings": row["heading_path"] or [],
            "line": row["line_start"],
            "text": _without_heading(row) if whole else _excerpt(_without_heading(row)),
        }
        for row in placed.iter_rows(named=True)
    }


def _without_heading(row: Mapping[str, Any]) -> str:
    """A passage begins with its own heading, which is shown above it."""
    headings = row["heading_path"] or []
    return str(row["text"] or "").removeprefix(f"{headings[-1]}\n" if headings else "").strip()


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= EXCERPT_CHARACTERS else flat[: EXCERPT_CHARACTERS - 1].rstrip() + "…"


def _concepts(catalogue: Catalogue, collection: str, ids: list[str]) -> dict[str, Row]:
    found = catalogue.some(collection, "concepts", "concept_id", ids)
    return {row["concept_id"]: row for row in found.select("concept_id", "name", "aliases", "description").to_dicts()}


def _said(catalogue: Catalogue, collection: str, **of: str) -> dict[tuple[str, str], Row]:
    """Verdicts by image_id and text_id."""
    rows = catalogue.verdicts(collection).filter(**of).select("image_id", "text_id", "verdict", "by").to_dicts()
    return {(row.pop("image_id"), row.pop("text_id")): row for row in rows}


def _shown_in(catalogue: Catalogue, collection: str, ids: list[str]) -> dict[str, list[Row]]:
    """The pictures that documents embed in these passages, by chunk_id, in the order of lines."""
    uses = catalogue.some(collection, "references", "chunk_id", ids).filter(status="ok").drop_nulls("image_id")
    shown: dict[str, list[Row]] = {}
    for row in uses.sort("line").unique(["chunk_id", "image_id"], keep="first", maintain_order=True).to_dicts():
        shown.setdefault(row["chunk_id"], []).append(
            {"image_id": row["image_id"], "path": row["image_path"], "alt": row["alt"], "line": row["line"]}
        )
    return shown


def _file(path: str | None, ids: Mapping[str, str]) -> Row | None:
    return {"path": path, "image_id": ids.get(path)} if path else None
