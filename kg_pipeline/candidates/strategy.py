"""What a blocking strategy is."""

from typing import Protocol

from kg_pipeline.candidates.ordering import Best
from kg_pipeline.candidates.shortlist import Shortlist


class Strategy(Protocol):
    """Proposes texts for pictures: cheap, generous, and never by a picture's own references."""

    @property
    def name(self) -> str:
        """Stands in the column `strategies`."""
        ...

    def propose(self, shortlist: Shortlist) -> Best:
        """Eligible passages, by row (picture) and column of the shortlist, with ranks."""
        ...
