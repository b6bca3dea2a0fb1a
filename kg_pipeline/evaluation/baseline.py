"""What the file name alone finds: plain BM25 of it on the passages. A method that is no better has found nothing."""

from pathlib import PurePosixPath

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.fields import B_BODY, Fields
from kg_pipeline.candidates.sparse import Bm25, Rows
from kg_pipeline.candidates.strategy import best_passages, proposals
from kg_pipeline.candidates.tokens import Vocabulary, tokens

FILE_NAME = "file-name"
"""Stands in the column scorer."""


def file_name_baseline(corpus: Corpus, limit: int) -> pl.DataFrame:
    """image_id, text_kind, text_id, rank of the `limit` best passages and their documents, for every picture."""
    fields = corpus.fields
    texts = dict(corpus.chunks.select("chunk_id", "text").iter_rows())
    vocabulary = Vocabulary()
    body = Rows.of([vocabulary.read(texts[chunk]) for chunk in fields.chunk_ids])
    names = [" ".join(PurePosixPath(path).stem for path in image.paths) for image in fields.images]
    bm25 = Bm25(Rows.of([vocabulary.number(tokens(name)) for name in names]), body, B_BODY)
    parts = []
    for block in fields.blocks():
        scores = bm25.scores(block)
        parts.append((block, best_passages(scores, scores > 0, limit)))
    passages = proposals(fields, parts).collect()
    return pl.concat([passages, _documents(fields, passages)]).sort("image_id", "text_kind", "rank")


def _documents(fields: Fields, passages: pl.DataFrame) -> pl.DataFrame:
    """A document stands where the best of its passages stands."""
    document = pl.DataFrame(
        {"text_id": fields.chunk_ids, "document_id": [fields.document_ids[row] for row in fields.chunk_document]},
        schema={"text_id": pl.String(), "document_id": pl.String()},
    )
    best = passages.join(document, on="text_id").group_by("image_id", "document_id").agg(pl.col("rank").min())
    return best.sort("image_id", "rank").select(
        "image_id",
        pl.lit("document").alias("text_kind"),
        text_id="document_id",
        rank=pl.int_range(1, pl.len() + 1).over("image_id"),
    )
