"""Which pairs are worth a closer look: all strategies, fused and capped."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.concepts import propose_concepts
from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.diagnostics import Diagnostics, Tally
from kg_pipeline.candidates.embedding import Embedding
from kg_pipeline.candidates.fusion import BIT, REFERENCE, cap, fuse, strategy_lists, within_quota
from kg_pipeline.candidates.lexical import Lexical, LexicalPassage
from kg_pipeline.candidates.proximity import Proximity
from kg_pipeline.candidates.shortlist import Shortlist, shortlist_count, shortlists
from kg_pipeline.candidates.sibling import Sibling
from kg_pipeline.candidates.sparse import Integers
from kg_pipeline.candidates.strategy import Strategy
from kg_pipeline.candidates.waiting import Waiting
from kg_pipeline.config import Collection, Scoring
from kg_pipeline.progress import track

KEY = ["image_id", "text_kind", "text_id"]
PAIR = ["image", "text"]
Examine = Callable[[Shortlist, pl.DataFrame], tuple[pl.DataFrame, pl.DataFrame]]
"""Looks at the pairs of a shortlist while its scores are at hand: what to keep of every pair (`pairs` with more columns
or the same), and details of those pairs that may be wanted in the end, with their column `pair`."""


@dataclass(eq=False)
class Block:
    """What was proposed for some pictures."""

    images: Integers
    """Rows of the pictures, in order."""
    passages: Waiting
    """image, text (rows of the corpus's fields), strategies (bits), fused_score, by_image and what `examine` kept."""
    details: Waiting
    """image, text and what `examine` found worth keeping of some pairs; `pair`, the place among the passages."""


@dataclass(frozen=True, eq=False)
class Blocking:
    """Proposed pairs, and how they came about."""

    corpus: Corpus
    blocks: list[Block]
    within: list[NDArray[np.bool_]]
    """For each block which of its passages survive caps and quota."""
    concepts: pl.DataFrame
    """image_id, text_kind, text_id, strategies, fused_score."""
    diagnostics: Diagnostics

    @property
    def passages(self) -> pl.DataFrame:
        """Pairs of image and text (rows of the corpus's fields), strategies (bits), fused_score and what was kept."""
        return _passages(self.blocks, self.within)

    @property
    def details(self) -> Iterator[tuple[Integers, pl.DataFrame]]:
        """For pictures in order, block by block: image, text and what `examine` found worth keeping of some pairs."""
        for each, survives in zip(self.blocks, self.within, strict=True):
            details = each.details.frame()
            yield each.images, details.filter(survives[details["pair"].to_numpy()]).drop("pair")

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
    return pairs, pairs.select(*PAIR, "pair")


def block(collection: Collection, corpus: Corpus, examine: Examine = _keep_all, last_use: bool = False) -> Blocking:
    """Pairs of `corpus` worth scoring.

    Per image at most `scoring.proposals` passages, plus those for which the image is among the best
    `scoring.images_per_text`, plus the passages of its own visible references, plus concepts. On its `last_use` the
    corpus gives back what is not needed any more as early as it can.
    """
    scoring = collection.scoring
    tally = Tally(corpus)
    if last_use:
        corpus.forget_texts()
    blocks = []
    for shortlist in track(shortlists(corpus), "proposing candidates", shortlist_count(corpus)):
        proposed = {strategy.name: strategy.propose(shortlist) for strategy in strategies(scoring)}
        tally.count_proposed(proposed)
        capped = cap(fuse(shortlist, proposed), scoring).with_row_index("pair")
        passages, details = examine(shortlist, capped)
        blocks.append(Block(shortlist.rows, Waiting(passages.drop("row", "column", "pair")), Waiting(details)))
    if last_use:
        corpus.forget_scores()
    within = _within(blocks, scoring, tally)
    known = pl.DataFrame() if corpus.concepts.is_empty() else _passages(blocks, within)
    concepts = propose_concepts(corpus, known, scoring.proposals)
    return Blocking(corpus, blocks, within, concepts, tally.diagnostics(concepts))


def _within(blocks: list[Block], scoring: Scoring, tally: Tally) -> list[NDArray[np.bool_]]:
    """For each block which of its passages survive caps and quota."""
    parts = [each.passages.frame().select("image", "text", "fused_score", "strategies", "by_image") for each in blocks]
    by_text = within_quota(pl.concat(parts, rechunk=False), scoring.images_per_text)
    within, first = [], 0
    for part in parts:
        of_text = pl.Series(by_text[first : first + len(part)], dtype=pl.Boolean())
        first += len(part)
        tally.count_capped(part["by_image"], of_text, part["strategies"])
        kept = part["by_image"] | of_text | ((part["strategies"] & BIT[REFERENCE]) > 0)
        within.append(kept.to_numpy())
        tally.count_kept(part.filter(kept))
    return within


def _passages(blocks: list[Block], within: list[NDArray[np.bool_]]) -> pl.DataFrame:
    return pl.concat(
        each.passages.frame().filter(survives).drop("by_image") for each, survives in zip(blocks, within, strict=True)
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
