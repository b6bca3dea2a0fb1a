"""Blocking by meaning: the passages whose vectors are nearest to that of the picture's words."""

from dataclasses import dataclass

from kg_pipeline.candidates.ordering import Best, best
from kg_pipeline.candidates.shortlist import Shortlist


@dataclass(frozen=True)
class Embedding:
    """The nearest passages, whatever words they use; nothing where the collection has no embedding model."""

    limit: int
    name: str = "embedding"

    def propose(self, shortlist: Shortlist) -> Best:
        """See Strategy."""
        return best(shortlist.likeness, (shortlist.likeness > 0) & shortlist.eligible, self.limit)
