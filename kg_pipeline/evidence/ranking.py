"""Ranks and margins: one total order without ties among the texts of an image, and among the images of a text."""

import polars as pl

from kg_pipeline.evidence.model import sigmoid


def with_ranks(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with rank, margin, margin_points, image_rank, image_margin, image_margin_points.

    Needs image_id, text_kind, text_id, position (may be null), decisive (log-odds that decide the order; null sorts
    last). Equal ones are told apart by position, then by id. Points are 10 * sigmoid(decisive).
    """
    last = pl.len()
    texts = rows.with_columns(
        _by=pl.col("position").fill_null(last + rows.height), _points=10 * sigmoid(pl.col("decisive"))
    ).sort(
        ["image_id", "text_kind", "decisive", "_by", "text_id"],
        descending=[False, False, True, False, False],
        nulls_last=True,
    )
    texts = _ranked(texts, ["image_id", "text_kind"], "rank", "margin")
    images = texts.sort(
        ["text_kind", "text_id", "decisive", "image_id"], descending=[False, False, True, False], nulls_last=True
    )
    return _ranked(images, ["text_kind", "text_id"], "image_rank", "image_margin").drop("_by", "_points")


def _ranked(rows: pl.DataFrame, group: list[str], rank: str, margin: str) -> pl.DataFrame:
    """`rows`, sorted best first in each group, with the rank and how far each stands above the best other one."""
    numbered = rows.with_columns(pl.int_range(1, pl.len() + 1).over(group).alias(rank))
    return numbered.with_columns(
        (pl.col(value) - _best_other(value, group, rank)).alias(name)
        for value, name in (("decisive", margin), ("_points", f"{margin}_points"))
    )


def _best_other(value: str, group: list[str], rank: str) -> pl.Expr:
    first = pl.col(value).first().over(group)
    second = pl.col(value).slice(1, 1).first().over(group)
    return pl.when(pl.col(rank) == 1).then(second).otherwise(first)
