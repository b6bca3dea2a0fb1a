"""The edges of a collection as plain columns, for a page that draws only what is looked at."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kg_pipeline.evidence.reasons import FINDINGS
from kg_pipeline.reports.cards import CLOSE_POINTS, WEAKEST_SHARE
from kg_pipeline.reports.views import Passages, Pictures, decision, meanings

KINDS = ("chunk", "document", "concept")
FIGURES: Mapping[str, int] = {"score": 2, "confidence": 3, "margin_points": 2, "log_odds": 2}
"""Digits that are kept: what a person tells apart."""
CONTRIBUTION_DIGITS = 2
ACCEPTED = "kept: accepted by "


def edge_columns(tables: Mapping[str, pl.DataFrame], pictures: Pictures) -> dict[str, Any]:
    """Plain values, ready for JSON: lists of pictures, passages and names, and a list per column of the edges.

    The edges are sorted by confidence, the least certain first; numbers in their columns are places in the lists.
    """
    kept = tables["visual_evidence"].filter("kept").sort("confidence", "log_odds", "image_id", "text_id", "text_kind")
    image_ids = kept["image_id"].unique(maintain_order=True).to_list()
    paths = dict(tables["images"].select("image_id", "path").iter_rows())
    used = set(tables["references"].filter(pl.col("status") == "ok")["image_id"].drop_nulls())
    shown = [pictures.picture(paths[image_id]) for image_id in image_ids]
    passages, texts = _passages(tables, kept)
    names = {**dict(tables["concepts"].select("concept_id", "name").iter_rows())}
    concepts = kept.filter(text_kind="concept")["text_id"].unique(maintain_order=True).to_list()
    parts = kept["contributions"].explode(empty_as_null=False).struct.field("name").unique().drop_nulls().sort()
    reasons = kept["reason"].fill_null("")
    weak = kept["confidence"].quantile(WEAKEST_SHARE, "lower")
    decisions = [decision(row) for row in kept.select(DECIDING).iter_rows(named=True)]
    ways = sorted({_way(text) for text in decisions})
    return {
        "pictures": [
            {
                "id": image_id,
                "path": picture.path,
                "link": picture.link,
                "thumbnail": picture.thumbnail,
                "used": image_id in used,
            }
            for image_id, picture in zip(image_ids, shown, strict=True)
        ],
        "passages": passages,
        "concepts": [[concept, names.get(concept, "")] for concept in concepts],
        "parts": parts.to_list(),
        "meanings": meanings(parts.to_list()),
        "findings": list(FINDINGS),
        "weak": weak,
        "close": CLOSE_POINTS,
        "ways": ways,
        "edges": {
            "picture": _places(kept["image_id"], image_ids),
            "kind": _places(kept["text_kind"], list(KINDS)),
            "text": kept["text_id"].to_list() if kept.is_empty() else _texts(kept, texts, concepts),
            "passage": _places(kept["best_chunk_id"], list(texts)),
            "rank": kept["rank"].to_list(),
            "image_rank": kept["image_rank"].to_list(),
            **{name: kept[name].round(digits).to_list() for name, digits in FIGURES.items()},
            "reason": reasons.to_list(),
            "findings": _found(reasons),
            "accepted": reasons.str.contains(ACCEPTED, literal=True).to_list(),
            "parts": _contributions(kept["contributions"], parts.to_list()),
            "way": [ways.index(_way(text)) for text in decisions],
        },
    }


DECIDING = ["confidence", "log_odds", "contributions", "confidence_source", "text_kind"]


def _way(said: str) -> str:
    """How the confidence came about, without the figures, of which every edge has others."""
    return said.rpartition("confidence ")[2].partition(", ")[2] if "→" in said else said


def _passages(tables: Mapping[str, pl.DataFrame], kept: pl.DataFrame) -> tuple[list[Any], dict[str, int]]:
    """Passages as [chunk_id, document, heading, text, line], and the place of each by chunk_id."""
    ids = kept["best_chunk_id"].drop_nulls().unique(maintain_order=True).to_list()
    found = Passages(tables["chunks"], tables["documents"], ids)
    rows = []
    for chunk in ids:
        passage = found.passage(chunk)
        rows.append([chunk, passage.document, passage.heading, passage.text, passage.line])
    return rows, {chunk: place for place, chunk in enumerate(ids)}


def _texts(kept: pl.DataFrame, passages: Mapping[str, int], concepts: list[str]) -> list[int | str | None]:
    """What stands for text_id: the place of a passage or concept; of a document its id, which is only linked to."""
    places: dict[str, Mapping[str, int]] = {
        "chunk": passages,
        "concept": {concept: place for place, concept in enumerate(concepts)},
    }
    return [
        places[kind].get(text) if kind in places else text
        for kind, text in kept.select("text_kind", "text_id").iter_rows()
    ]


def _places(values: pl.Series, known: list[str]) -> list[int | None]:
    place = {value: number for number, value in enumerate(known)}
    return [place.get(value) for value in values.to_list()]


def _found(reasons: pl.Series) -> list[list[int]]:
    """Which of FINDINGS each reason names."""
    said = pl.DataFrame({str(n): reasons.str.contains(text, literal=True) for n, text in enumerate(FINDINGS)})
    return [[number for number, holds in enumerate(row) if holds] for row in said.iter_rows()]


def _contributions(contributions: pl.Series, names: list[str]) -> list[list[float]]:
    """Per edge [place of name, value, place, value, …]; parts of 0 are left out."""
    place = {name: number for number, name in enumerate(names)}
    return [
        [
            number
            for part in parts or ()
            if (value := round(part["value"] or 0.0, CONTRIBUTION_DIGITS))
            for number in (place[part["name"]], value)
        ]
        for parts in contributions.to_list()
    ]
