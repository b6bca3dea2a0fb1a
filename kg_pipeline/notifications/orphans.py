"""Which orphans are new: those with a suggestion that no digest has told of."""

import json
from pathlib import Path

import polars as pl

from kg_pipeline.notifications.digest import OrphanFound
from kg_pipeline.storage.atomic import replacing

SUGGESTED = "unreferenced_matched"


def new_orphans(orphan_images: pl.DataFrame, collection: str, home: Path) -> list[OrphanFound]:
    """The untold orphans of a collection with their best suggestion, the surest first."""
    best = (
        orphan_images.filter(pl.col("reason") == SUGGESTED)
        .sort("path", "suggestion_rank")
        .unique("path", keep="first", maintain_order=True)
    )
    untold = best.filter(~pl.col("path").is_in(sorted(_told(home, collection))))
    rows = untold.sort("confidence", "path", descending=[True, False], nulls_last=True).iter_rows(named=True)
    return [OrphanFound(collection, row["path"], row["best_document_path"], row["confidence"]) for row in rows]


def remember_told(orphan_images: pl.DataFrame, collection: str, home: Path) -> None:
    """Remember all that are suggested now. One that is used in between and lost again is new again."""
    told = sorted(set(orphan_images.filter(pl.col("reason") == SUGGESTED)["path"]))
    if set(told) != _told(home, collection):
        with replacing(_file(home, collection)) as beside:
            beside.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _told(home: Path, collection: str) -> set[str]:
    path = _file(home, collection)
    return set(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else set()


def _file(home: Path, collection: str) -> Path:
    return home / "automation" / "told_orphans" / f"{collection}.json"
