"""Evaluation: hidden references, how well the pipeline finds them again, and how sure it may be."""

from kg_pipeline.evaluation.baseline import FILE_NAME
from kg_pipeline.evaluation.calibrating import (
    CalibrationTables,
    add_version,
    calibrate,
    keep_version,
    recorded_versions,
)
from kg_pipeline.evaluation.errors import EvaluationError
from kg_pipeline.evaluation.evaluating import Evaluation, Outcome, average_table, evaluate
from kg_pipeline.evaluation.hidden_run import PROTOCOLS, HiddenRun, Protocol, Score, hidden_run
from kg_pipeline.evaluation.history import History
from kg_pipeline.evaluation.labels import is_lexical, measure_labels, read_labels, score_labels
from kg_pipeline.evaluation.reading import read_corpus
from kg_pipeline.evaluation.scenarios import FACETS
from kg_pipeline.evaluation.scorers import scorer_of
from kg_pipeline.evaluation.stress import NO_OCR, STRESSES, stress_name, stressed
from kg_pipeline.evaluation.truth import asked, truth_of, with_truth

__all__ = [
    "FACETS",
    "FILE_NAME",
    "NO_OCR",
    "PROTOCOLS",
    "STRESSES",
    "CalibrationTables",
    "Evaluation",
    "EvaluationError",
    "HiddenRun",
    "History",
    "Outcome",
    "Protocol",
    "Score",
    "add_version",
    "asked",
    "average_table",
    "calibrate",
    "evaluate",
    "hidden_run",
    "is_lexical",
    "keep_version",
    "measure_labels",
    "read_corpus",
    "read_labels",
    "recorded_versions",
    "score_labels",
    "scorer_of",
    "stress_name",
    "stressed",
    "truth_of",
    "with_truth",
]
