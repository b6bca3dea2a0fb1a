"""The plots of an evaluation: recall curve, reliability, scores of true pairs and others, precision and coverage."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from kg_pipeline.evaluation import Outcome, asked, with_truth
from kg_pipeline.evaluation.intervals import Values
from kg_pipeline.reports.distributions import SCORE, SHARE, TENTHS, histogram, reliability_plot
from kg_pipeline.reports.plots import Axis, Plot, Series

RECALL_CUTOFFS = tuple(range(1, 51))
THRESHOLDS = tuple(step / 50 for step in range(51))
PICTURES_FOR_PRECISION = 5
"""Precision of fewer answers is noise."""

Outcomes = Sequence[Outcome]
"""Of one setting, one per collection: their pictures are looked at together."""


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
    return reliability_plot(title, _top1(outcomes, kind))


def score_histogram(outcomes: Outcomes) -> Plot | None:
    """Scores of true pairs of picture and passage against all others; None where nothing was scored."""
    pairs = pl.concat(one.answers.filter(text_kind="chunk").select("score", "right") for one in outcomes).drop_nulls()
    if pairs.is_empty():
        return None
    return histogram(
        "Do true pairs score higher?",
        "candidate pairs of picture and passage by score, on a logarithmic scale",
        SCORE,
        {
            "true pairs": pairs.filter(right=True)["score"].to_numpy(),
            "others": pairs.filter(right=False)["score"].to_numpy(),
        },
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
