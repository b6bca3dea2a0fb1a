"""The candidate pairs: what blocking proposes, cut to the best by the evidence model."""

from typing import NamedTuple

import polars as pl

from kg_pipeline.candidates import Corpus, Diagnostics, block
from kg_pipeline.candidates.fusion import REFERENCE
from kg_pipeline.concepts import concept_texts
from kg_pipeline.config import Collection
from kg_pipeline.evidence.features import pair_features
from kg_pipeline.evidence.model import log_odds
from kg_pipeline.tables import TABLES

PER_IMAGE = ["image_id", "text_kind"]


class Candidates(NamedTuple):
    """Table candidate_pairs, and what blocking and the cut did."""

    pairs: pl.DataFrame
    diagnostics: Diagnostics


def select_candidates(collection: Collection, corpus: Corpus) -> Candidates:
    """Per image and text kind the best `scoring.candidates` of what blocking proposes, and all reference pairs."""
    pairs, diagnostics = block(collection, corpus)
    featured = pair_features(corpus, pairs)
    ranked = (
        featured.with_columns(log_odds(featured))
        .sort([*PER_IMAGE, "log_odds", "fused_score", "text_id"], descending=[False, False, True, True, False])
        .with_columns(nth=pl.int_range(1, pl.len() + 1).over(PER_IMAGE))
    )
    is_reference = pl.col("strategies").list.contains(REFERENCE)
    kept = (
        ranked.filter((pl.col("nth") <= collection.scoring.candidates) | is_reference)
        .with_columns(position=pl.int_range(1, pl.len() + 1).over(PER_IMAGE))
        .drop("log_odds", "nth")
        .join(text_hashes(corpus), on=["text_kind", "text_id"], how="left")
    )
    cut: dict[str, int | float] = {"pairs": len(kept), "cut_by_evidence": len(ranked) - len(kept)}
    return Candidates(TABLES["candidate_pairs"].conform(kept), {**diagnostics, "selected": cut})


def text_hashes(corpus: Corpus) -> pl.DataFrame:
    """text_kind, text_id, text_sha256 of every text that can be scored."""
    chunks = corpus.chunks.select(pl.lit("chunk").alias("text_kind"), text_id="chunk_id", text_sha256="text_sha256")
    concepts = concept_texts(corpus.concepts).select(
        pl.lit("concept").alias("text_kind"), text_id="concept_id", text_sha256="text_sha256"
    )
    return pl.concat([chunks, concepts])
