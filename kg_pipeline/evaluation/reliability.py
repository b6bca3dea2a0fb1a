"""Whether "0.9" means nine times out of ten: bins, the expected calibration error, and the least it can be."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.evaluation.intervals import SEED, Estimate, Values, wilson

BINS = 10
SIMULATIONS = 1_000


class Bin(NamedTuple):
    """Answers of about the same confidence."""

    low: float
    high: float
    n: int
    confidence: float
    """Their mean confidence."""
    right: float
    """The share of them that is right, and its 95 % interval."""
    right_low: float
    right_high: float


def calibration_error(answers: Values) -> float:
    """Expected calibration error of answers (n, 2), confidence and whether right (0 or 1), in bins of equal width.

    Mean over the answers of |mean confidence - share right| of their bin (Guo et al. 2017). Only top-1 answers should
    go in: over all pairs it is small because nearly all are told apart easily.
    """
    return float(_errors(answers[:, 0], answers[:, 1][None, :])[0])


def simulated_floor(confidence: Values) -> Estimate:
    """The calibration error of a model that is exactly as right as it says, from so many answers.

    Mean and percentiles 2.5 and 97.5 over outcomes drawn from the probabilities themselves, seeded: what is left of
    the error when nothing is wrong but the number of answers.
    """
    draw = np.random.default_rng(SEED)
    found = np.concatenate(
        [
            _errors(confidence, (draw.random((100, len(confidence))) < confidence).astype(np.float64))
            for _ in range(SIMULATIONS // 100)
        ]
    )
    low, high = np.percentile(found, [2.5, 97.5])
    return Estimate(float(found.mean()), len(confidence), float(low), float(high))


def reliability(answers: Values) -> list[Bin]:
    """The bins that hold any answers, from the least confident."""
    place = _bins(answers[:, 0])
    found = []
    for number in np.unique(place).tolist():
        confidence, right = answers[place == number].mean(axis=0).tolist()
        count = int((place == number).sum())
        found.append(Bin(number / BINS, (number + 1) / BINS, count, confidence, right, *wilson(right, count)))
    return found


def _bins(confidence: Values) -> NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def _errors(confidence: Values, outcomes: Values) -> Values:
    """Calibration error of each row of outcomes, (simulations, answers)."""
    member = np.eye(BINS)[_bins(confidence)]
    gaps = np.abs((outcomes - confidence) @ member)
    return np.asarray(gaps.sum(axis=1) / len(confidence), np.float64)
