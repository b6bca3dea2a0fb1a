"""Blocking by place: passages where the picture lies, of the documents near it, of those with its folder's others."""

from dataclasses import dataclass

import numpy as np

from kg_pipeline.candidates.ordering import Best, best
from kg_pipeline.candidates.shortlist import Shortlist


@dataclass(frozen=True)
class Proximity:
    """The passages around a picture inside a document, then those of the nearest documents, best words first."""

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
        wanted = (np.isfinite(of_document) | (shortlist.inside > 0)) & shortlist.eligible
        # Ranks of documents begin at -1, so that every place inside comes before them.
        order = np.where(shortlist.inside > 0, shortlist.inside, of_document + 1e-3 * shortlist.passage_score)
        return best(order, wanted, self.limit)
