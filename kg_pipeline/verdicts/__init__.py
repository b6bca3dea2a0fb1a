"""Verdicts: what people said of pairs, how one is given, taken back, and found again in today's texts."""

from kg_pipeline.verdicts.current import (
    ACCEPTED,
    JUDGED_TABLES,
    REJECTED,
    VERDICT_KEY,
    WITHDRAWN,
    count_verdicts,
    current_verdicts,
    merged,
)
from kg_pipeline.verdicts.errors import VerdictError
from kg_pipeline.verdicts.review import Review, clear_verdict, give_verdict, list_verdicts

__all__ = [
    "ACCEPTED",
    "JUDGED_TABLES",
    "REJECTED",
    "VERDICT_KEY",
    "WITHDRAWN",
    "Review",
    "VerdictError",
    "clear_verdict",
    "count_verdicts",
    "current_verdicts",
    "give_verdict",
    "list_verdicts",
    "merged",
]
