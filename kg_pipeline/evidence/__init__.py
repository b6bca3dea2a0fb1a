"""Evidence: named features of a pair, a model that adds them up, and the judgement that ranks, keeps and explains."""

from kg_pipeline.evidence.calibration import (
    PRIOR_WEIGHTS,
    RERANKER_PRIOR,
    Calibration,
    Curve,
    calibration_of,
    fit_curve,
    is_evidence_model,
)
from kg_pipeline.evidence.features import pair_features
from kg_pipeline.evidence.fitting import fit_weights
from kg_pipeline.evidence.judging import judge
from kg_pipeline.evidence.model import EVIDENCE_SCORER, score_pairs
from kg_pipeline.evidence.selection import Candidates, select_candidates

__all__ = [
    "EVIDENCE_SCORER",
    "PRIOR_WEIGHTS",
    "RERANKER_PRIOR",
    "Calibration",
    "Candidates",
    "Curve",
    "calibration_of",
    "fit_curve",
    "fit_weights",
    "is_evidence_model",
    "judge",
    "pair_features",
    "score_pairs",
    "select_candidates",
]
