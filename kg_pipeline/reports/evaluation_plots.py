"""The plots of an evaluation: recall curve, reliability, scores of true pairs and others, precision and coverage."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from kg_pipeline.evaluation import Outcome, asked, with_truth
from kg_pipeline.evaluation.intervals import Values
from kg_pipeline.evaluation.reliability import calibration_error, reliability, simulated_floor
from kg_pipeline.reports.plots import Axis, Plot, Series

RECALL_CUTOFFS = tuple(range(1, 51))
THRESHOLDS = tuple(step / 50 for step in range(51))
SCORE_BINS = 20
TENTHS = tuple(step / 10 for step in range(0, 11, 2))
PICTURES_FOR_PRECISION = 5
"""Precision of fewer answers is noise."""

Outcomes = Sequence[Outcome]
"""Of one setting, one per collection: their pictures are looked at together."""


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


SHARE = Axis("share", 0, 1, TENTHS, _percent)
CONFIDENCE = Axis("confidence", 0, 1, TENTHS)


def evaluation_plots(settings: Sequence[Outcomes], shown: Outcomes) -> list[Plot]:
    """The recall curves of all settings, and the other plots of the one that is `shown`."""
    plots = [
        recall_curve(settings),
        reliability_diagram("First passage: as right as it says?", shown, "chunk"),
        reliability_diagram("First document: as right as it says?", shown, "document"),
        score_histogram(shown),
        precision_and_coverage("First passage, if only the surer ones are kept", shown, "chunk"),
        precision_and_coverage("First document, if only the surer ones are kept", shown, "document"),
    ]
    return [plot for plot in plots if plot is not None]


def recall_curve(settings: Sequence[Outcomes]) -> Plot:
    """Share of pictures whose true passage is among the first k."""
    series = [
        Series(outcomes[0].name, _recall(outcomes), number, dashed=outcomes[0].stress != "none")
        for number, outcomes in enumerate(settings[:6], start=1)
    ]
    plain = next((outcomes for outcomes in settings if outcomes[0].stress == "none"), settings[0])
    baseline = [(one.baseline, one.truth) for one in plain]
    series.append(Series("file name alone", _curve(baseline), 0))
    ticks = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
    return Plot(
        "Is the right passage among the first k?",
        "share of pictures whose passage is found (strict), by how many are looked at",
        Axis("first k passages", 1, 50, ticks, log=True),
        SHARE,
        tuple(series),
    )


def reliability_diagram(title: str, outcomes: Outcomes, kind: str) -> Plot | None:
    """Confidence of the first answer against how often it is right; None without answers that have a confidence."""
    answers = _top1(outcomes, kind)
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


def score_histogram(outcomes: Outcomes) -> Plot | None:
    """Scores of true pairs of picture and passage against all others; None where nothing was scored."""
    pairs = pl.concat(one.answers.filter(text_kind="chunk").select("score", "right") for one in outcomes).drop_nulls()
    if pairs.is_empty():
        return None
    edges = np.linspace(0, 10, SCORE_BINS + 1)
    series = []
    for name, colour, right in (("true pairs", 1, True), ("others", 2, False)):
        counts, _ = np.histogram(pairs.filter(right=right)["score"].to_numpy(), edges)
        heights = np.maximum(counts, 0.5)
        steps = [
            (float(edges[0]), 0.5),
            *zip(edges[:-1], heights, strict=True),
            (10.0, float(heights[-1])),
            (10.0, 0.5),
        ]
        series.append(Series(f"{name} ({counts.sum():,})", [(float(x), float(y)) for x, y in steps], colour, "steps"))
    most = 10.0 ** np.ceil(np.log10(max(10, len(pairs))))
    ticks = tuple(10.0**power for power in range(int(np.log10(most)) + 1))
    return Plot(
        "Do true pairs score higher?",
        "candidate pairs of picture and passage by score, on a logarithmic scale",
        Axis("score", 0, 10, (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)),
        Axis("pairs", 0.5, float(most), ticks, "{:,.0f}".format, log=True),
        tuple(series),
    )


def precision_and_coverage(title: str, outcomes: Outcomes, kind: str) -> Plot | None:
    """How many first answers are right, and how many pictures get one, above each threshold of confidence."""
    answers = _top1(outcomes, kind)
    pictures = sum(len(asked(one.truth, kind)) for one in outcomes)
    if not len(answers):
        return None
    precision, coverage = [], []
    for threshold in THRESHOLDS:
        kept = answers[answers[:, 0] >= threshold]
        coverage.append((threshold, len(kept) / pictures))
        if len(kept) >= PICTURES_FOR_PRECISION:
            precision.append((threshold, float(kept[:, 1].mean())))
    return Plot(
        title,
        "precision: share of them that is right; coverage: share of pictures that get one",
        Axis("threshold of confidence", 0, 1, TENTHS),
        SHARE,
        (Series("precision", precision, 1), Series("coverage", coverage, 2)),
    )


def _top1(outcomes: Outcomes, kind: str) -> Values:
    return np.concatenate([one.top1(kind) for one in outcomes])


def _recall(outcomes: Outcomes) -> list[tuple[float, float]]:
    return _curve([(one.run.evidence, one.truth) for one in outcomes])


def _curve(found: Sequence[tuple[pl.DataFrame, pl.DataFrame]]) -> list[tuple[float, float]]:
    pictures, ranks = 0, []
    for frame, truth in found:
        right = with_truth(frame.filter(text_kind="chunk").select("image_id", "text_kind", "text_id", "rank"), truth)
        ranks += right.filter("right").group_by("image_id").agg(pl.col("rank").min())["rank"].to_list()
        pictures += len(asked(truth, "chunk"))
    first = np.array(ranks)
    return [(float(k), float((first <= k).sum() / pictures)) for k in RECALL_CUTOFFS]
