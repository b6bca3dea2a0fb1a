"""Rerankers that look at the picture: the protocol they share and the scoring of candidate pairs with the ledger."""

from kg_pipeline.reranking.protocol import ImageScores, ImageTexts, Reranker, RerankerError, choose_reranker
from kg_pipeline.reranking.scoring import ScoringReport, score_pairs

__all__ = [
    "ImageScores",
    "ImageTexts",
    "Reranker",
    "RerankerError",
    "ScoringReport",
    "choose_reranker",
    "score_pairs",
]
