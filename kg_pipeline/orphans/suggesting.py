"""Which suggestion is worth looking at first, and which are one: the order and the groups of suggested orphans."""

import re

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

DIGITS = re.compile(r"\d+")
COUNTER = re.compile(r"[\s_.\-–(\[#]*#[\s)\]]*$")
"""A number at the end of a name, with what joins it: `rack-02`, `rack (2)`, `rack_2`; digits are written as #."""


def with_suggestions(orphans: pl.DataFrame, used: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """`orphans` with suggestion_rank, suggestion_value, suggestion_group; null where the reason is another one.

    value = confidence / sqrt(1 + pictures that the document shows + pictures that the passage shows): what a picture
    adds to a text that already has n of its kind falls as the marginal value of a square root does. Nothing is gained
    where the document already shows a look-alike. `used`: the references that count. Series, copies and look-alikes
    for one document are one group, worth as much as its best member; ranks run through a group before the next begins.
    """
    suggested = orphans.filter(pl.col("reason") == "unreferenced_matched").sort("path")
    valued = suggested.select("path", suggestion_value=_value(suggested, used, images)).with_columns(
        group=_groups(suggested), place=pl.Series(map(_natural, suggested["path"]), dtype=pl.String())
    )
    ordered = (
        valued.sort("place", "path")
        .with_columns(
            suggestion_group=pl.col("path").first().over("group"), best=pl.col("suggestion_value").max().over("group")
        )
        .sort("best", "suggestion_group", "place", "path", descending=[True, False, False, False])
        .with_columns(suggestion_rank=pl.int_range(1, pl.len() + 1))
    )
    columns = ("path", "suggestion_rank", "suggestion_value", "suggestion_group")
    return orphans.join(ordered.select(columns), on="path", how="left")


def _value(suggested: pl.DataFrame, used: pl.DataFrame, images: pl.DataFrame) -> pl.Series:
    """Rounded, so that equal cases are equal; 0 without a confidence: a person accepted what nobody could score."""
    shown = used.select("image_id", "chunk_id", best_document_path="document_path").drop_nulls("image_id").unique()
    in_document = shown.group_by("best_document_path").agg(in_document=pl.col("image_id").n_unique())
    in_passage = shown.group_by(best_chunk_id="chunk_id").agg(in_passage=pl.col("image_id").n_unique())
    groups = images.select("image_id", "duplicate_group").drop_nulls()
    alike = (
        shown.join(groups, on="image_id").select("best_document_path", "duplicate_group", seen=pl.lit(True)).unique()
    )
    counted = (
        suggested.join(in_document, on="best_document_path", how="left", maintain_order="left")
        .join(in_passage, on="best_chunk_id", how="left", maintain_order="left")
        .join(alike, on=["best_document_path", "duplicate_group"], how="left", maintain_order="left")
        .with_columns(pl.col("in_document", "in_passage").fill_null(0))
    )
    gain = pl.when(pl.col("seen")).then(0.0).otherwise(1 / (1 + pl.col("in_document") + pl.col("in_passage")).sqrt())
    return counted.select((pl.col("confidence").fill_null(0.0) * gain).round(6)).to_series()


def _groups(suggested: pl.DataFrame) -> pl.Series:
    """A number per row, equal for rows that are one suggestion: those linked by a series, by bytes or by looks."""
    rows, keys = [], []
    for row, (path, image_id, look, document) in enumerate(
        suggested.select("path", "image_id", "duplicate_group", "best_document_path").iter_rows()
    ):
        folder, stem = series_of(path)
        rows += [row, row]
        keys += [("series", document, folder, stem), ("picture", document, look or image_id)]
    number = {key: len(suggested) + place for place, key in enumerate(dict.fromkeys(keys))}
    ends = np.array([number[key] for key in keys], np.int64)
    nodes = len(suggested) + len(number)
    links = coo_array((np.ones(len(rows)), (np.array(rows, np.int64), ends)), shape=(nodes, nodes))
    components = connected_components(links, directed=False)[1]
    return pl.Series("group", components[: len(suggested)], pl.Int64)


def series_of(path: str) -> tuple[str, str]:
    """Folder, and what the names of a series share: `shots/Rack_02.png` and `shots/rack.jpg` are ("shots", "rack")."""
    folder, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return folder, COUNTER.sub("", DIGITS.sub("#", stem.lower()))


def _natural(path: str) -> str:
    """The order in which people count: 2 before 10."""
    return DIGITS.sub(lambda digits: digits[0].zfill(12), path)
