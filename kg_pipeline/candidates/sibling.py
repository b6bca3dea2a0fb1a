"""Blocking by likeness: passages that use pictures next to this one, of its series, or that look alike."""

from dataclasses import dataclass

from kg_pipeline.candidates.ordering import Best, best
from kg_pipeline.candidates.shortlist import Shortlist


@dataclass(frozen=True)
class Sibling:
    """The passages around the references of like pictures, never of the picture itself."""

    limit: int
    name: str = "sibling"

    def propose(self, shortlist: Shortlist) -> Best:
        """See Strategy."""
        votes = shortlist.passage_votes
        return best(votes, (votes > 0) & shortlist.eligible, self.limit)
