"""Which pairs are worth a closer look: all strategies, fused and capped."""

from typing import NamedTuple

import polars as pl

from kg_pipeline.candidates.concepts import propose_concepts
from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.diagnostics import Diagnostics, diagnose
from kg_pipeline.candidates.fusion import add_references, cap, fuse
from kg_pipeline.candidates.lexical import Lexical, LexicalPassage
from kg_pipeline.candidates.proximity import Proximity
from kg_pipeline.candidates.sibling import Sibling
from kg_pipeline.candidates.strategy import Strategy
from kg_pipeline.config import Collection, Scoring
from kg_pipeline.progress import track

KEY = ["image_id", "text_kind", "text_id"]


class Blocking(NamedTuple):
    """Proposed pairs (image_id, text_kind, text_id, strategies, fused_score), sorted, and how they came about."""

    pairs: pl.DataFrame
    diagnostics: Diagnostics


def strategies(scoring: Scoring) -> list[Strategy]:
    """The strategies for passages, each with the number of proposals it may make per image."""
    limit = scoring.proposals
    return [
        Lexical(limit),
        LexicalPassage(max(1, limit // 2)),
        Proximity(max(1, limit // 4)),
        Sibling(max(1, limit // 4)),
    ]


def block(collection: Collection, corpus: Corpus) -> Blocking:
    """Pairs of `corpus` worth scoring.

    Per image at most `scoring.proposals` passages, plus those for which the image is among the best
    `scoring.images_per_text`, plus the passages of its own visible references, plus concepts.
    """
    scoring = collection.scoring
    proposals = pl.concat(
        strategy.propose(corpus).with_columns(strategy=pl.lit(strategy.name)).collect()
        for strategy in track(strategies(scoring), "proposing candidates")
    )
    capped = cap(fuse(proposals), corpus, scoring)
    chunk_pairs = capped.filter(pl.col("by_image") | pl.col("by_text")).drop("by_image", "by_text")
    concepts = propose_concepts(corpus, chunk_pairs, scoring.proposals)
    pairs = add_references(pl.concat([chunk_pairs, fuse(concepts).drop("passage_rank")]), corpus).sort(KEY)
    return Blocking(pairs, diagnose(corpus, pl.concat([proposals, concepts]), capped, pairs))
