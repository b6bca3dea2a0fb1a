"""Blocking by place: passages of the documents near the picture, and of those that use its folder's other pictures."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.lexical import document_score, passage_score
from kg_pipeline.candidates.strategy import best_passages, proposals

# A vote outweighs any distance: a document that uses the folder is near, wherever it lies.
VOTE = 10.0


@dataclass(frozen=True)
class Proximity:
    """The passages of the nearest documents, best words first."""

    limit: int
    documents: int = 5
    name: str = "proximity"

    def propose(self, corpus: Corpus) -> pl.LazyFrame:
        """See Strategy."""
        fields = corpus.fields
        votes = corpus.folder_votes
        parts = []
        for block in fields.blocks():
            near = VOTE * votes[block].toarray() - fields.documents(block)["path_distance"]
            words, _ = document_score(fields, block)
            # Words only decide between documents that are equally near.
            rows, columns, ranks = best_passages(near + 1e-3 * words, np.isfinite(near), self.documents)
            place = np.full(near.shape, -np.inf, np.float32)
            place[rows, columns] = -ranks
            passages, _ = passage_score(fields, block)
            of_document = place[:, fields.chunk_document]
            parts.append((block, best_passages(of_document + 1e-3 * passages, np.isfinite(of_document), self.limit)))
        return proposals(fields, parts)
