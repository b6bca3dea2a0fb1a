"""Which pairs are worth a closer look: all strategies, fused and capped."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from kg_pipeline.candidates.concepts import propose_concepts
from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.diagnostics import Diagnostics, Tally
from kg_pipeline.candidates.embedding import Embedding
from kg_pipeline.candidates.fusion import BIT, REFERENCE, cap, fuse, strategy_lists, within_quota
from kg_pipeline.candidates.lexical import Lexical, LexicalPassage
from kg_pipeline.candidates.proximity import Proximity
from kg_pipeline.candidates.shortlist import Shortlist, shortlist_count, shortlists
from kg_pipeline.candidates.sibling import Sibling
from kg_pipeline.candidates.strategy import Strategy
from kg_pipeline.config import Collection, Scoring
from kg_pipeline.progress import track

KEY = ["image_id", "text_kind", "text_id"]
PAIR = ["image", "text"]
Examine = Callable[[Shortlist, pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]]
"""Looks at the pairs of a shortlist while its scores are at hand: what to keep of every pair (`pairs` with more columns
or the same), and details of those pairs that may be wanted in the end."""


@dataclass(frozen=True, eq=False)
class Blocking:
    """Proposed pairs, and how they came about."""

    corpus: Corpus
    passages: pl.DataFrame
    """image and text (rows of the corpus's fields), strategies (bits), fused_score and what `examine` added."""
    details: pl.DataFrame
    """image, text and what `examine` found worth keeping of some of them."""
    concepts: pl.DataFrame
    """image_id, text_kind, text_id, strategies, fused_score."""
    diagnostics: Diagnostics

    @property
    def pairs(self) -> pl.DataFrame:
        """All pairs: image_id, text_kind, text_id, strategies, fused_score, sorted."""
        return pl.concat([named(self.corpus, self.passages).select(self.concepts.columns), self.concepts]).sort(KEY)


def strategies(scoring: Scoring) -> list[Strategy]:
    """The strategies for passages, each with the number of proposals it may make per image."""
    limit = scoring.proposals
    return [
        Lexical(limit),
        LexicalPassage(max(1, limit // 2)),
        Proximity(max(1, limit // 4)),
        Sibling(max(1, limit // 4)),
        Embedding(max(1, limit // 2)),
    ]


def _keep_all(_: Shortlist, pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pairs, pairs.select(PAIR)


def block(collection: Collection, corpus: Corpus, examine: Examine = _keep_all) -> Blocking:
    """Pairs of `corpus` worth scoring.

    Per image at most `scoring.proposals` passages, plus those for which the image is among the best
    `scoring.images_per_text`, plus the passages of its own visible references, plus concepts.
    """
    scoring = collection.scoring
    tally = Tally(corpus)
    kept, details = [], []
    for shortlist in track(shortlists(corpus), "proposing candidates", shortlist_count(corpus)):
        proposed = {strategy.name: strategy.propose(shortlist) for strategy in strategies(scoring)}
        tally.count_proposed(proposed)
        pairs, worth_keeping = examine(shortlist, cap(fuse(shortlist, proposed), scoring))
        kept.append(pairs.drop("row", "column"))
        details.append(worth_keeping)
    passages = pl.concat(kept)
    del kept
    by_text = pl.Series(within_quota(passages, scoring.images_per_text), dtype=pl.Boolean())
    tally.count_capped(passages["by_image"], by_text, passages["strategies"])
    referenced = (passages["strategies"] & BIT[REFERENCE]) > 0
    passages = passages.filter(passages["by_image"] | by_text | referenced).drop("by_image")
    concepts = propose_concepts(corpus, passages, scoring.proposals)
    return Blocking(
        corpus,
        passages,
        pl.concat(details).join(passages.select(PAIR), on=PAIR, how="semi"),
        concepts,
        tally.diagnostics(passages, concepts),
    )


def named(corpus: Corpus, pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with image_id, text_kind, text_id and lists of strategies in place of image, text and bits."""
    fields = corpus.fields
    return pairs.select(
        fields.image_ids.gather(pairs["image"]).alias("image_id"),
        pl.lit("chunk").alias("text_kind"),
        fields.chunk_ids.gather(pairs["text"]).alias("text_id"),
        strategy_lists(pairs["strategies"]),
        pl.all().exclude("image", "text", "strategies"),
    )
