"""Blocking by likeness: passages that use pictures next to this one, of its series, or that look alike."""

from dataclasses import dataclass

import polars as pl

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.strategy import best_passages, proposals


@dataclass(frozen=True)
class Sibling:
    """The passages around the references of like pictures, never of the picture itself."""

    limit: int
    name: str = "sibling"

    def propose(self, corpus: Corpus) -> pl.LazyFrame:
        """See Strategy."""
        votes = corpus.passage_votes
        parts = []
        for block in corpus.fields.blocks():
            scores = votes[block].toarray()
            parts.append((block, best_passages(scores, scores > 0, self.limit)))
        return proposals(corpus.fields, parts)
