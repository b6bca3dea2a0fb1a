"""Scoring the candidate pairs of a collection and explaining its edges: where its texts and pictures are."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.concepts import concept_texts
from kg_pipeline.config import Limits
from kg_pipeline.images import open_image_bytes
from kg_pipeline.reranking.edges import ReasonsReport, explain_edges
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
    return score_pairs(reranker, ledger, candidate_pairs, texts, _pictures(corpus, limits), max_new_pairs)


def explain_corpus_edges(
    reranker: Reranker, corpus: Corpus, evidence: pl.DataFrame, limits: Limits, most: int, cache: Path
) -> tuple[pl.DataFrame, ReasonsReport]:
    """`explain_edges` with the passages, concepts and picture files of `corpus`. Raises RerankerError, OSError."""
    concepts = concept_texts(corpus.concepts).select("text", text_kind=pl.lit("concept"), text_id="concept_id")
    passages = corpus.chunks.select("text", text_kind=pl.lit("chunk"), text_id="chunk_id")
    return explain_edges(reranker, evidence, pl.concat([passages, concepts]), _pictures(corpus, limits), most, cache)


def _pictures(corpus: Corpus, limits: Limits) -> Callable[[str], bytes]:
    files = corpus.images.join(corpus.image_files, on=["path", "image_id"])
    uris = dict(files.select("image_id", "uri").iter_rows())
    return lambda image_id: open_image_bytes(uris[image_id], limits)
