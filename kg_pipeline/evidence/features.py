"""Named features of candidate pairs, picked from the scores of fields and votes."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.concepts import named_in_file_names
from kg_pipeline.candidates.shortlist import Shortlist, blocks, shortlist
from kg_pipeline.candidates.sparse import Integers
from kg_pipeline.evidence.model import PASSAGE, RIVALS, sigmoid
from kg_pipeline.evidence.model import log_odds as evidence_log_odds
from kg_pipeline.evidence.rivals import Rivals, document_values, passage_values
from kg_pipeline.tables import PAIR_FEATURES

KEY = ["image_id", "text_kind", "text_id"]
DIGITS = 6
"""Features are rounded, so that the last bits of a sum do not make tables differ."""


def pair_features(corpus: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` (image_id, text_kind, text_id, …) with the struct column `features`, sorted by key.

    Nothing here knows the references of the pair's own image. Features of the other text kind are null.
    """
    chunks = with_struct(_features_of_ids(corpus, pairs.filter(pl.col("text_kind") == "chunk").sort(KEY)))
    concepts = pairs.filter(pl.col("text_kind") == "concept").sort(KEY)
    claims = chunks.select("image_id", chunk_id="text_id").with_columns(evidence_log_odds(chunks))
    return pl.concat([chunks, with_struct(concept_features(corpus, concepts, claims))]).sort(KEY)


def _features_of_ids(corpus: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs`, sorted by key, with their features as columns."""
    rivals, fields = Rivals(corpus), corpus.fields
    images = np.fromiter((fields.image_row[each] for each in pairs["image_id"]), np.int64, len(pairs))
    chunks = fields.chunk_rows(pairs["text_id"])
    parts = []
    for rows in blocks(corpus, np.unique(images)):
        mine = np.isin(images, rows)
        part = shortlist(corpus, rows, (np.searchsorted(rows, images[mine]), chunks[mine]))
        parts.append(passage_features(part, *part.asked, rivals))
    empty = {name: np.empty(0) for name in PASSAGE.weights}
    values = {name: np.concatenate([empty[name], *(part[name] for part in parts)]) for name in empty}
    return pairs.with_columns(pl.Series(name, cells) for name, cells in values.items())


def passage_features(
    shortlist: Shortlist, rows: Integers, columns: Integers, rivals: Rivals
) -> dict[str, NDArray[np.float64]]:
    """Each feature of pairs of a shortlist, by row and column."""
    of_passages, of_documents = passage_values(shortlist), document_values(shortlist)
    documents = shortlist.document_place[rows, columns]
    values: dict[str, NDArray[Any]] = {name: scores[rows, columns] for name, scores in of_passages.items()}
    values |= {name: scores[rows, documents] for name, scores in of_documents.items()}
    values[RIVALS] = rivals.of(shortlist, rows, columns)
    exact = {name: np.asarray(values[name], np.float64) for name in PASSAGE.weights}
    return {name: np.round(cells, DIGITS) for name, cells in exact.items()}


def concept_features(corpus: Corpus, pairs: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """`pairs` of image and concept, sorted, with their features as columns.

    `claims`: image_id, chunk_id and log_odds of the image's candidate passages.
    """
    passages = (
        claims.with_columns(probability=sigmoid(pl.col("log_odds")))
        .join(corpus.concept_mentions, on="chunk_id")
        .group_by("image_id", text_id="concept_id")
        .agg(concept_passage=pl.col("probability").max())
    )
    named = (
        named_in_file_names(corpus, pairs["image_id"])
        .rename({"concept_id": "text_id"})
        .with_columns(concept_in_name=pl.lit(1.0))
    )
    return (
        pairs.join(passages, on=["image_id", "text_id"], how="left")
        .join(named, on=["image_id", "text_id"], how="left")
        .with_columns(pl.col("concept_passage", "concept_in_name").fill_null(0.0).round(DIGITS))
        .sort(KEY)
    )


def with_struct(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with the struct `features` in place of its columns; features without a column are null."""
    absent = [pl.lit(None, pl.Float64()).alias(name) for name in PAIR_FEATURES if name not in pairs.columns]
    full = pairs.with_columns(absent)
    features = pl.struct(pl.col(name).cast(pl.Float64) for name in PAIR_FEATURES).alias("features")
    return full.with_columns(features).drop(*PAIR_FEATURES)
