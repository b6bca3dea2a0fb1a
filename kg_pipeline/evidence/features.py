"""Named features of candidate pairs, looked up block by block in the scores of fields and votes."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.concepts import named_in_images
from kg_pipeline.evidence.model import NO_PASSAGE, PASSAGE, RIVALS, SHARPNESS, sigmoid
from kg_pipeline.evidence.model import log_odds as evidence_log_odds
from kg_pipeline.progress import track
from kg_pipeline.tables import PAIR_FEATURES

KEY = ["image_id", "text_kind", "text_id"]
ALMOST_NOTHING = 1e-9  # a share that still has a logarithm
DIGITS = 6
"""Features are rounded, so that the last bits of a sum do not make tables differ."""


def pair_features(corpus: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` (image_id, text_kind, text_id, …) with the struct column `features`, sorted by key.

    Nothing here knows the references of the pair's own image. Features of the other text kind are null.
    """
    chunks = _with_struct(_passage_features(corpus, pairs.filter(pl.col("text_kind") == "chunk").sort(KEY)))
    concepts = _with_struct(_concept_features(corpus, pairs.filter(pl.col("text_kind") == "concept").sort(KEY), chunks))
    return pl.concat([chunks, concepts]).sort(KEY)


def _passage_features(corpus: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
    fields = corpus.fields
    image_rows = _rows(pairs["image_id"], fields.image_row)
    chunk_rows = _rows(pairs["text_id"], fields.chunk_row)
    values = {name: np.zeros(len(pairs)) for name in PASSAGE.weights}
    for block in track(fields.blocks(), "computing features"):
        # Pairs are sorted by image_id, as pictures are: those of a block stand together.
        mine = slice(*np.searchsorted(image_rows, [block.start, block.stop]).tolist())
        if mine.start == mine.stop:
            continue
        inside = image_rows[mine] - block.start, chunk_rows[mine]
        for name, cells in _cells(corpus, block, *inside):
            values[name][mine] = cells
    return pairs.with_columns(pl.Series(name, np.round(cells, DIGITS)) for name, cells in values.items())


def _cells(
    corpus: Corpus, block: slice, images: NDArray[np.int64], chunks: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each feature of the pairs of a block, by row of image in the block and row of passage."""
    fields = corpus.fields
    of_passages = fields.passages(block) | {"siblings": corpus.passage_votes[block].toarray()}
    of_documents = fields.documents(block) | {"proximity": corpus.folder_votes[block].toarray()}
    documents = fields.chunk_document[chunks]
    for name, scores in of_passages.items():
        yield name, scores[images, chunks].astype(np.float64)
    for name, scores in of_documents.items():
        yield name, scores[images, documents].astype(np.float64)
    passage_sum = sum(PASSAGE.weights[name] * scores for name, scores in of_passages.items())
    document_sum = sum(PASSAGE.weights[name] * scores for name, scores in of_documents.items())
    sums = np.asarray(passage_sum + np.asarray(document_sum)[:, fields.chunk_document], np.float64)
    yield RIVALS, _rivals(sums, fields.chunk_document, fields.document_work)[images, chunks]


def _rivals(
    sums: NDArray[np.float64], chunk_document: NDArray[np.int64], document_work: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log of the sum of exp(SHARPNESS * sum) over all other passages of the image and over "no passage at all".

    Over all passages, not the proposed ones: else the candidate that a reference adds would change the scores. Those of
    translations of the passage's document are no rivals: a picture that belongs to one belongs to the other.
    """
    strength = SHARPNESS * sums
    top = np.maximum(strength.max(axis=1, keepdims=True, initial=-np.inf), SHARPNESS * NO_PASSAGE)
    share = np.exp(strength - top)
    total = share.sum(axis=1, keepdims=True) + np.exp(SHARPNESS * NO_PASSAGE - top)
    share /= total
    # Passages of a document stand together.
    of_document = np.add.reduceat(share, np.flatnonzero(np.diff(chunk_document, prepend=-1)), axis=1)
    of_work = np.zeros((len(sums), len(document_work)))
    np.add.at(of_work.T, document_work, of_document.T)
    translations = of_work[:, document_work] - of_document
    rest = 1 - share - translations[:, chunk_document]
    return np.asarray(top + np.log(total) + np.log(np.maximum(rest, ALMOST_NOTHING)), np.float64)


def _concept_features(corpus: Corpus, pairs: pl.DataFrame, chunks: pl.DataFrame) -> pl.DataFrame:
    """`chunks`: the passage pairs with their features."""
    passages = (
        chunks.select("image_id", chunk_id="text_id")
        .with_columns(evidence_log_odds(chunks))
        .with_columns(probability=sigmoid(pl.col("log_odds")))
        .join(corpus.concept_mentions, on="chunk_id")
        .group_by("image_id", text_id="concept_id")
        .agg(concept_passage=pl.col("probability").max())
    )
    named = (
        named_in_images(corpus, pairs["image_id"])
        .group_by("image_id", text_id="concept_id")
        .agg(
            concept_in_name=pl.col("in_name").any().cast(pl.Float64),
            concept_in_image=(~pl.col("in_name")).any().cast(pl.Float64),
        )
    )
    rarity = (
        corpus.concept_mentions.group_by(text_id="concept_id")
        .agg(mentioned=pl.col("chunk_id").n_unique())
        .with_columns(concept_rarity=1 - pl.col("mentioned").log1p() / np.log1p(1 + len(corpus.chunks)))
        .drop("mentioned")
    )
    return (
        pairs.join(passages, on=["image_id", "text_id"], how="left")
        .join(named, on=["image_id", "text_id"], how="left")
        .join(rarity, on="text_id", how="left")
        .with_columns(
            pl.col("concept_passage", "concept_in_name", "concept_in_image").fill_null(0.0).round(DIGITS),
            pl.col("concept_rarity").fill_null(1.0).round(DIGITS),
        )
        .sort(KEY)
    )


def _with_struct(pairs: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, pl.Float64()).alias(name) for name in PAIR_FEATURES if name not in pairs.columns]
    full = pairs.with_columns(absent)
    features = pl.struct(pl.col(name).cast(pl.Float64) for name in PAIR_FEATURES).alias("features")
    return full.with_columns(features).drop(*PAIR_FEATURES)


def _rows(ids: pl.Series, place: dict[str, int]) -> NDArray[np.int64]:
    return np.fromiter((place[name] for name in ids), np.int64, len(ids))
