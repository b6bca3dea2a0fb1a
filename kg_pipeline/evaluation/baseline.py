"""What the file name alone finds: plain BM25 of it on the passages. A method that is no better has found nothing."""

from pathlib import PurePosixPath

import numpy as np
import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.fields import B_BODY, Fields
from kg_pipeline.candidates.matching import Bm25, Bm25Texts
from kg_pipeline.candidates.reading import read_texts
from kg_pipeline.candidates.sparse import Rows, pairs_of
from kg_pipeline.candidates.tokens import Vocabulary, tokens

FILE_NAME = "file-name"
"""Stands in the column scorer."""


def file_name_baseline(corpus: Corpus, limit: int) -> pl.DataFrame:
    """image_id, text_kind, text_id, rank of the `limit` best passages and their documents, for every picture."""
    fields = corpus.fields
    texts = pl.DataFrame({"chunk_id": fields.chunk_ids}).join(corpus.chunks, on="chunk_id", maintain_order="left")[
        "text"
    ]
    vocabulary = Vocabulary()
    body = read_texts(vocabulary, texts)
    names = [" ".join(PurePosixPath(path).stem for path in image.paths) for image in fields.images]
    queries = Rows.of([vocabulary.number(tokens(name)) for name in names])
    found = Bm25(queries, Bm25Texts((queries,), body.batches(), B_BODY)).best(np.arange(len(names)), limit)
    image, text = pairs_of(found)
    ranked = pl.DataFrame({"image": image, "text": text, "score": found.data}).sort(
        "image", "score", "text", descending=[False, True, False]
    )
    passages = ranked.select(
        fields.image_ids.gather(ranked["image"]).alias("image_id"),
        pl.lit("chunk").alias("text_kind"),
        fields.chunk_ids.gather(ranked["text"]).alias("text_id"),
        rank=pl.int_range(1, pl.len() + 1).over("image"),
    )
    return pl.concat([passages, _documents(fields, passages)]).sort("image_id", "text_kind", "rank")


def _documents(fields: Fields, passages: pl.DataFrame) -> pl.DataFrame:
    """A document stands where the best of its passages stands."""
    document = pl.DataFrame(
        {"text_id": fields.chunk_ids, "document_id": fields.document_ids.gather(fields.chunk_document)}
    )
    best = passages.join(document, on="text_id").group_by("image_id", "document_id").agg(pl.col("rank").min())
    return best.sort("image_id", "rank").select(
        "image_id",
        pl.lit("document").alias("text_kind"),
        text_id="document_id",
        rank=pl.int_range(1, pl.len() + 1).over("image_id"),
    )
