"""Errors of evaluation."""


class EvaluationError(Exception):
    """An evaluation cannot be made."""
