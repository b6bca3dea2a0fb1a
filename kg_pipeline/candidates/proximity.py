"""Blocking by place: passages of the documents near the picture, and of those that use its folder's other pictures."""

from dataclasses import dataclass

import numpy as np

from kg_pipeline.candidates.ordering import Best, best
from kg_pipeline.candidates.shortlist import Shortlist


@dataclass(frozen=True)
class Proximity:
    """The passages of the nearest documents, best words first."""

    limit: int
    documents: int = 5
    name: str = "proximity"

    def propose(self, shortlist: Shortlist) -> Best:
        """See Strategy."""
        near = shortlist.nearness
        rows, columns, ranks = best(near, shortlist.eligible_documents, self.documents)
        place = np.full(near.shape, -np.inf, np.float32)
        place[rows, columns] = -ranks
        of_document = shortlist.of_passages(place)
        wanted = np.isfinite(of_document) & shortlist.eligible
        return best(of_document + 1e-3 * shortlist.passage_score, wanted, self.limit)
