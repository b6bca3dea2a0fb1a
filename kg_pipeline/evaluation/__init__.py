"""Evaluation: hidden references, how well the pipeline finds them again, and how sure it may be. Nothing is fitted."""

from kg_pipeline.evaluation.hidden_run import PROTOCOLS, HiddenRun, Protocol, Score, hidden_run
from kg_pipeline.evaluation.reading import read_corpus
from kg_pipeline.evaluation.stress import STRESSES, stressed
from kg_pipeline.evaluation.truth import asked, truth_of, with_truth

__all__ = [
    "PROTOCOLS",
    "STRESSES",
    "HiddenRun",
    "Protocol",
    "Score",
    "asked",
    "hidden_run",
    "read_corpus",
    "stressed",
    "truth_of",
    "with_truth",
]
