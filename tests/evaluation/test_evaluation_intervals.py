"""Intervals and calibration errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.evaluation.intervals import Estimate, average, bootstrap, estimate, mean, wilson
from kg_pipeline.evaluation.reliability import calibration_error, reliability, simulated_floor


def test_wilson_as_in_the_textbook():
    # Agresti & Coull 1998: 15 of 15.
    assert wilson(1.0, 15) == pytest.approx((0.796, 1.0), abs=1e-3)
    assert wilson(0.5, 100) == pytest.approx((0.404, 0.596), abs=1e-3)


@given(st.integers(0, 60), st.integers(1, 60))
def test_a_share_lies_in_its_interval(hits, n):
    share = min(hits, n) / n
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert low < high


def test_a_share_gets_wilson_and_anything_else_the_bootstrap():
    shares, means = np.array([1.0, 0.0, 1.0]), np.array([0.5, 2.0, -1.0])
    assert estimate(shares)[2:] == wilson(2 / 3, 3)
    assert estimate(means)[2:] == bootstrap(means, mean)
    assert estimate(np.empty(0)) is None


def test_the_bootstrap_is_the_same_every_time_and_covers_the_mean():
    values = np.random.default_rng(1).normal(3, 1, 200)
    low, high = bootstrap(values, mean)
    assert (low, high) == bootstrap(values, mean)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(200), rel=0.15)


def test_an_average_is_surer_than_its_parts():
    parts = [Estimate(0.5, 100, 0.4, 0.6), Estimate(0.9, 50, 0.8, 0.95)]
    found = average(parts)
    assert found.value == pytest.approx(0.7)
    assert found.n == 150
    assert found.value - found.low == pytest.approx(np.hypot(0.1, 0.1) / 2)
    assert found.high - found.value == pytest.approx(np.hypot(0.1, 0.05) / 2)


def test_calibration_error_by_hand():
    # Bin 0.9-1.0: says 0.95, is right half of the time; bin 0.2-0.3: says 0.2, is never right.
    answers = np.array([[0.95, 1], [0.95, 0], [0.2, 0], [0.2, 0]])
    assert calibration_error(answers) == pytest.approx(0.5 * 0.45 + 0.5 * 0.2)


def test_certainty_belongs_to_the_last_bin():
    assert calibration_error(np.array([[1.0, 1.0]])) == 0
    assert reliability(np.array([[1.0, 1.0], [0.0, 0.0]]))[-1].high == 1.0


def test_an_honest_model_has_the_error_of_its_floor():
    draw = np.random.default_rng(7)
    confidence = draw.random(400)
    floor = simulated_floor(confidence)
    errors = [
        calibration_error(np.column_stack([confidence, draw.random(400) < confidence]).astype(float)) for _ in range(50)
    ]
    assert floor.value == pytest.approx(np.mean(errors), abs=0.01)
    assert floor.low < np.median(errors) < floor.high
    assert simulated_floor(np.ones(20)).value == 0
