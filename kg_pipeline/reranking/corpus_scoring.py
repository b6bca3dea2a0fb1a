"""Scoring the candidate pairs of a collection: where its texts and pictures are."""

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.concepts import concept_texts
from kg_pipeline.config import Limits
from kg_pipeline.images import open_image_bytes
from kg_pipeline.reranking.protocol import Reranker
from kg_pipeline.reranking.scoring import ScoringReport, score_pairs
from kg_pipeline.storage import ScoreLedger

TEXT = ["text_sha256", "text"]


def score_corpus_pairs(
    reranker: Reranker,
    ledger: ScoreLedger,
    corpus: Corpus,
    candidate_pairs: pl.DataFrame,
    limits: Limits,
    max_new_pairs: int | None = None,
) -> tuple[pl.DataFrame, ScoringReport]:
    """`score_pairs` with the passages, concepts and picture files of `corpus`. Raises RerankerError."""
    texts = pl.concat([corpus.chunks.select(TEXT), concept_texts(corpus.concepts).select(TEXT)]).unique()
    files = corpus.images.join(corpus.image_files, on=["path", "image_id"])
    uris = dict(files.select("image_id", "uri").iter_rows())
    return score_pairs(
        reranker,
        ledger,
        candidate_pairs,
        texts,
        lambda image_id: open_image_bytes(uris[image_id], limits),
        max_new_pairs,
    )
