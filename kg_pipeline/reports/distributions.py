"""Plots of how values are distributed, and of whether confidence holds: for evaluations and for every run."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.evaluation.intervals import Values
from kg_pipeline.evaluation.reliability import calibration_error, reliability, simulated_floor
from kg_pipeline.reports.plots import Axis, Plot, Series

BINS = 20
TENTHS = tuple(step / 10 for step in range(0, 11, 2))


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


SHARE = Axis("share", 0, 1, TENTHS, _percent)
CONFIDENCE = Axis("confidence", 0, 1, TENTHS)
SCORE = Axis("score", 0, 10, (0.0, 2.0, 4.0, 6.0, 8.0, 10.0))


def histogram(title: str, note: str, axis: Axis, values: Mapping[str, NDArray[np.float64]]) -> Plot:
    """Pairs by value on a logarithmic scale, a line of steps for each kind of pair."""
    edges = np.linspace(axis.low, axis.high, BINS + 1)
    series = []
    for colour, (name, found) in enumerate(values.items(), start=1):
        counts, _ = np.histogram(found, edges)
        heights = np.maximum(counts, 0.5)
        steps = [
            (float(edges[0]), 0.5),
            *zip(edges[:-1], heights, strict=True),
            (axis.high, float(heights[-1])),
            (axis.high, 0.5),
        ]
        series.append(Series(f"{name} ({counts.sum():,})", [(float(x), float(y)) for x, y in steps], colour, "steps"))
    most = 10.0 ** np.ceil(np.log10(max(10, sum(len(found) for found in values.values()))))
    ticks = tuple(10.0**power for power in range(int(np.log10(most)) + 1))
    pairs = Axis("pairs", 0.5, float(most), ticks, "{:,.0f}".format, log=True)
    return Plot(title, note, axis, pairs, tuple(series))


def reliability_plot(title: str, answers: Values) -> Plot | None:
    """Confidence against how often it is right, of answers (n, 2); None without any."""
    if not len(answers):
        return None
    bins = reliability(answers)
    error, floor = calibration_error(answers), simulated_floor(answers[:, 0])
    dots = Series(
        "answers",
        [(one.confidence, one.right) for one in bins],
        1,
        "dots",
        [float(one.n) for one in bins],
        [(one.right_low, one.right_high) for one in bins],
    )
    note = (
        f"{len(answers)} answers; ECE {error:.3f}, an honest model would show {floor.value:.3f} "
        f"({floor.low:.3f}–{floor.high:.3f}). Above the line: too timid; below: too sure"
    )
    return Plot(title, note, CONFIDENCE, Axis("share right", 0, 1, TENTHS, _percent), (dots,), diagonal=True)
