"""The cards of the gallery: frames of tables in, lists of views out, the most telling first."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kg_pipeline.reports.views import (
    Edge,
    EvidenceCard,
    OrphanCard,
    Passages,
    Pictures,
    QuestionableCard,
    decision,
    waterfall,
)

CLOSE_POINTS = 1.0
"""Points of 0–10 by which the best passage leads when it was a close call."""
WEAKEST_SHARE = 0.25
OTHERS_SHOWN = 11
"""Pictures of a series beside its best one."""

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
    """Suggestions first, a card per group, then by path; when there are too many, every reason has its turn."""
    order = pl.col("reason").replace_strict({name: n for n, name in enumerate(REASONS)}, return_dtype=pl.Int64)
    files = tables["orphan_images"].with_columns(
        order=order, group=pl.col("suggestion_group").fill_null(pl.col("path")), first=pl.col("suggestion_rank")
    )
    files = files.sort("suggestion_rank", "path", nulls_last=True)
    members = {group[0]: rows["path"].to_list() for group, rows in files.group_by("group", maintain_order=True)}
    # The best of a group stands for it, under the rank of its first.
    orphans = (
        files.with_columns(pl.col("first").min().over("group"))
        .sort("suggestion_value", "path", descending=[True, False], nulls_last=True)
        .unique("group", keep="first", maintain_order=True)
        .sort("order", "first", "path", nulls_last=True)
        .with_columns(turn=pl.int_range(pl.len()).over("order"))
        .sort("turn", "order")
        .head(cap)
        .sort("order", "turn")
    )
    passages = Passages(tables["chunks"], tables["documents"], orphans["best_chunk_id"])
    edges = _edges_of(orphans, tables["visual_evidence"])
    errors = dict(tables["image_files"].select("path", "error").iter_rows())
    decorative = dict(tables["images"].select("image_id", "decorative_reason").iter_rows())
    notes = {
        "unreadable": lambda row: errors.get(row["path"]),
        "decorative": lambda row: decorative.get(row["image_id"]),
    }
    cards = []
    for row in orphans.iter_rows(named=True):
        chunk, reason = row["best_chunk_id"], row["reason"]
        edge = edges.get((row["image_id"], chunk))
        note = notes[reason](row) if reason in notes else edge and edge["reason"]
        others = [path for path in members[row["group"]] if path != row["path"]]
        cards.append(
            OrphanCard(
                picture=pictures.picture(row["path"], readable=reason != "unreadable"),
                reason=reason,
                note=note or "",
                passage=passages.passage(chunk, row["best_document_path"]) if chunk else None,
                score=row["score"],
                confidence=row["confidence"],
                rank=row["first"],
                value=row["suggestion_value"],
                duplicate_of=pictures.picture(row["duplicate_of"]) if row["duplicate_of"] else None,
                near_duplicate_of=pictures.picture(row["near_duplicate_of"]) if row["near_duplicate_of"] else None,
                others=tuple(pictures.picture(path) for path in others[:OTHERS_SHOWN]),
                count=1 + len(others),
                edge=_edge(edge, passages, {}) if edge and row["first"] else None,
            )
        )
    return cards


def _edges_of(orphans: pl.DataFrame, evidence: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    best = orphans.select("image_id", text_id="best_chunk_id").drop_nulls().unique()
    rows = evidence.filter(pl.col("text_kind") == "chunk").join(best, on=["image_id", "text_id"], how="semi")
    return {(row["image_id"], row["text_id"]): row for row in rows.iter_rows(named=True)}


def questionable_cards(tables: Tables, questionable: pl.DataFrame, pictures: Pictures) -> list[QuestionableCard]:
    """A card per questionable reference, in the order given: both passages, the pictures they want and show."""
    wanted = [*questionable["chunk_id"], *questionable["preferred_chunk_id"]]
    passages = Passages(tables["chunks"], tables["documents"], wanted)
    wanted_here = _wanted_pictures(tables, questionable["chunk_id"])
    used = tables["references"].filter(pl.col("status") == "ok").drop_nulls("image_path").sort("line", "target")
    used = used.join(questionable.select(chunk_id="preferred_chunk_id").unique(), on="chunk_id", how="semi")
    shown_there = dict(used.unique("chunk_id", keep="first").select("chunk_id", "image_path").iter_rows())
    cards = []
    for row in questionable.iter_rows(named=True):
        better = wanted_here.get(row["chunk_id"])
        there = shown_there.get(row["preferred_chunk_id"])
        cards.append(
            QuestionableCard(
                picture=pictures.picture(row["image_path"]),
                line=row["line"],
                log_odds_behind=row["log_odds_behind"],
                here=passages.passage(row["chunk_id"], row["document_path"]),
                score=row["score"],
                there=passages.passage(row["preferred_chunk_id"]),
                preferred_score=row["preferred_score"],
                wanted_here=pictures.picture(better) if better else None,
                shown_there=pictures.picture(there) if there else None,
            )
        )
    return cards


def _wanted_pictures(tables: Tables, chunks: pl.Series) -> dict[str, str]:
    """Passage → path of the picture that fits it best, of those that are kept and not shown there yet."""
    shown = tables["references"].filter(pl.col("status") == "ok").select("image_id", text_id="chunk_id")
    best = (
        tables["visual_evidence"]
        .filter((pl.col("text_kind") == "chunk") & pl.col("kept") & pl.col("text_id").is_in(chunks.implode()))
        .join(shown, on=["image_id", "text_id"], how="anti")
        .sort("image_rank", "image_id", nulls_last=True)
        .unique("text_id", keep="first", maintain_order=True)
        .join(tables["images"].select("image_id", "path"), on="image_id")
    )
    return dict(best.select("text_id", "path").iter_rows())


def evidence_cards(tables: Tables, kept: pl.DataFrame, pictures: Pictures, cap: int) -> list[EvidenceCard]:
    """A card per picture with kept edges; the least certain come first, and stay when there are too many."""
    used = set(tables["references"].filter(pl.col("status") == "ok")["image_id"].drop_nulls())
    best = _certainty(kept).join(tables["images"].select("image_id", "path"), on="image_id")
    weak = best["confidence"].quantile(WEAKEST_SHARE, "lower")
    best = best.sort("confidence", "path").head(cap)
    edges = kept.join(best.select("image_id"), on="image_id", how="semi")
    passages = Passages(tables["chunks"], tables["documents"], edges["best_chunk_id"])
    names = dict(tables["concepts"].select("concept_id", "name").iter_rows())
    names |= dict(tables["documents"].select("document_id", "path").iter_rows())
    rows = edges.partition_by("image_id", as_dict=True)
    cards = []
    for image_id, confidence, margin, path in best.select("image_id", "confidence", "margin", "path").iter_rows():
        marks = {
            "weak": weak is not None and confidence is not None and confidence <= weak,
            "close": margin is not None and margin < CLOSE_POINTS,
            "unreferenced": image_id not in used,
        }
        cards.append(
            EvidenceCard(
                picture=pictures.picture(path),
                edges=tuple(_edge(row, passages, names) for row in rows[(image_id,)].iter_rows(named=True)),
                marks=" ".join(name for name, holds in marks.items() if holds),
            )
        )
    return cards


def _certainty(kept: pl.DataFrame) -> pl.DataFrame:
    """Per picture: confidence of its best passage, else of its best other text; margin (points) of its passages."""
    of_passages = pl.col("text_kind") == "chunk"
    return kept.group_by("image_id").agg(
        confidence=pl.coalesce(pl.col("confidence").filter(of_passages).max(), pl.col("confidence").max()),
        margin=pl.col("margin_points").filter(of_passages).max(),
    )


def _edge(row: dict[str, Any], passages: Passages, names: Mapping[str, str]) -> Edge:
    return Edge(
        kind=row["text_kind"],
        name=names.get(row["text_id"], ""),
        passage=passages.passage(row["best_chunk_id"]),
        score=row["score"],
        confidence=row["confidence"],
        rank=row["rank"],
        margin_points=row["margin_points"],
        reason=row["reason"] or "",
        bars=waterfall(row["contributions"] or []),
        decision=decision(row),
    )
