"""The cards of the gallery: frames of tables in, lists of views out, the most telling first."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kg_pipeline.reports.views import Edge, EvidenceCard, OrphanCard, Passages, Pictures, QuestionableCard, waterfall

CLOSE_POINTS = 1.0
"""Points of 0–10 by which the best passage leads when it was a close call."""
WEAKEST_SHARE = 0.25

REASONS: Mapping[str, str] = {
    "unreferenced_matched": "a passage wants it",
    "unmatched": "no passage wants it",
    "duplicate": "same bytes as a picture in use",
    "decorative": "icon, rule or background",
    "unreadable": "not a picture that can be read",
}
"""Why a file is an orphan, in the order of the page."""

Tables = Mapping[str, pl.DataFrame]


def orphan_cards(tables: Tables, pictures: Pictures, cap: int) -> list[OrphanCard]:
    """Suggestions first, then by path; when there are too many, every reason has its turn."""
    order = pl.col("reason").replace_strict({name: n for n, name in enumerate(REASONS)}, return_dtype=pl.Int64)
    orphans = (
        tables["orphan_images"]
        .with_columns(order=order)
        .sort("order", "suggestion_rank", "path", nulls_last=True)
        .with_columns(turn=pl.int_range(pl.len()).over("order"))
        .sort("turn", "order")
        .head(cap)
        .sort("order", "turn")
    )
    passages = Passages(tables["chunks"], tables["documents"], orphans["best_chunk_id"])
    errors = dict(tables["image_files"].select("path", "error").iter_rows())
    decorative = dict(tables["images"].select("image_id", "decorative_reason").iter_rows())
    best = tables["visual_evidence"].filter(pl.col("text_kind") == "chunk")
    best = orphans.select("image_id", text_id="best_chunk_id").unique().join(best, on=["image_id", "text_id"])
    explained = {(row["image_id"], row["text_id"]): row["reason"] for row in best.iter_rows(named=True)}
    notes = {
        "unreadable": lambda row: errors.get(row["path"]),
        "decorative": lambda row: decorative.get(row["image_id"]),
    }
    cards = []
    for row in orphans.iter_rows(named=True):
        chunk, reason = row["best_chunk_id"], row["reason"]
        note = notes[reason](row) if reason in notes else explained.get((row["image_id"], chunk))
        cards.append(
            OrphanCard(
                picture=pictures.picture(row["path"], readable=reason != "unreadable"),
                reason=reason,
                note=note or "",
                passage=passages.passage(chunk, row["best_document_path"]) if chunk else None,
                score=row["score"],
                confidence=row["confidence"],
                rank=row["suggestion_rank"],
                duplicate_of=pictures.picture(row["duplicate_of"]) if row["duplicate_of"] else None,
            )
        )
    return cards


def questionable_cards(tables: Tables, questionable: pl.DataFrame, pictures: Pictures) -> list[QuestionableCard]:
    """A card per questionable reference, in the order given, with the passage it stands in and the one it fits."""
    wanted = [*questionable["chunk_id"], *questionable["preferred_chunk_id"]]
    passages = Passages(tables["chunks"], tables["documents"], wanted)
    return [
        QuestionableCard(
            picture=pictures.picture(row["image_path"]),
            line=row["line"],
            log_odds_behind=row["log_odds_behind"],
            here=passages.passage(row["chunk_id"], row["document_path"]),
            score=row["score"],
            there=passages.passage(row["preferred_chunk_id"]),
            preferred_score=row["preferred_score"],
        )
        for row in questionable.iter_rows(named=True)
    ]


def evidence_cards(tables: Tables, kept: pl.DataFrame, pictures: Pictures, cap: int) -> list[EvidenceCard]:
    """A card per picture with kept passages; the least certain come first, and stay when there are too many."""
    used = set(tables["references"].filter(pl.col("status") == "ok")["image_id"].drop_nulls())
    best = kept.group_by("image_id").agg(pl.col("confidence").max(), pl.col("margin_points").max())
    best = best.join(tables["images"].select("image_id", "path"), on="image_id")
    weak = best["confidence"].quantile(WEAKEST_SHARE, "lower")
    best = best.sort("confidence", "path").head(cap)
    edges = kept.join(best.select("image_id"), on="image_id", how="semi")
    passages = Passages(tables["chunks"], tables["documents"], edges["text_id"])
    rows = edges.partition_by("image_id", as_dict=True)
    concepts = _concept_names(tables)
    cards = []
    for image_id, confidence, margin, path in best.iter_rows():
        marks = {
            "weak": weak is not None and confidence is not None and confidence <= weak,
            "close": margin is not None and margin < CLOSE_POINTS,
            "unreferenced": image_id not in used,
        }
        cards.append(
            EvidenceCard(
                picture=pictures.picture(path),
                edges=tuple(_edge(row, passages) for row in rows[(image_id,)].iter_rows(named=True)),
                concepts=tuple(concepts.get(image_id, ())),
                marks=" ".join(name for name, holds in marks.items() if holds),
            )
        )
    return cards


def _edge(row: dict[str, Any], passages: Passages) -> Edge:
    return Edge(
        passage=passages.passage(row["text_id"]),
        score=row["score"],
        confidence=row["confidence"],
        rank=row["rank"],
        margin_points=row["margin_points"],
        reason=row["reason"] or "",
        bars=waterfall(row["contributions"] or []),
    )


def _concept_names(tables: Tables) -> dict[str, list[str]]:
    named = (
        tables["visual_evidence"]
        .filter((pl.col("text_kind") == "concept") & pl.col("kept"))
        .sort("image_id", "rank")
        .join(tables["concepts"].select("name", text_id="concept_id"), on="text_id", maintain_order="left")
    )
    names: dict[str, list[str]] = {}
    for image_id, name in named.select("image_id", "name").iter_rows():
        names.setdefault(image_id, []).append(name)
    return names
