"""The reranker of a collection."""

import dagster as dg

from kg_pipeline.config import Scoring
from kg_pipeline.reranking import Reranker, choose_reranker


class RerankerResource(dg.ConfigurableResource):
    """Hands out the reranker that a collection's scoring section asks for, built at the first score."""

    def get(self, scoring: Scoring) -> Reranker | None:
        """None: the evidence model scores alone. Raises RerankerError when the one asked for is not there."""
        return choose_reranker(scoring.reranker)
