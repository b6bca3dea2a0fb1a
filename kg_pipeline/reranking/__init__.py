"""Rerankers that look at the picture: the protocol they share and the scoring of candidate pairs with the ledger."""

from kg_pipeline.reranking.choice import Choice, check_scorer_change, choose_reranker
from kg_pipeline.reranking.corpus_scoring import explain_corpus_edges, score_corpus_pairs
from kg_pipeline.reranking.direct import add_reasons, score_files
from kg_pipeline.reranking.edges import ReasonsReport, with_model_reasons
from kg_pipeline.reranking.protocol import ImageScores, ImageTexts, Reranker, RerankerError
from kg_pipeline.reranking.reasons import parsed_share
from kg_pipeline.reranking.scoring import ScoringReport, score_pairs

__all__ = [
    "Choice",
    "ImageScores",
    "ImageTexts",
    "ReasonsReport",
    "Reranker",
    "RerankerError",
    "ScoringReport",
    "add_reasons",
    "check_scorer_change",
    "choose_reranker",
    "explain_corpus_edges",
    "parsed_share",
    "score_corpus_pairs",
    "score_files",
    "score_pairs",
    "with_model_reasons",
]
