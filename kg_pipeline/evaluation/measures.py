"""The measures: from what was found and what is right to one value per picture or passage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from kg_pipeline.evaluation.intervals import Estimate, Statistic, Values, estimate, mean
from kg_pipeline.evaluation.reliability import calibration_error, simulated_floor
from kg_pipeline.evaluation.truth import asked, with_truth

CUTOFFS = (1, 10, 50)
FIRST_SUGGESTIONS = 10

METRICS: Mapping[str, str] = {
    "recall": "share of pictures with a passage that holds their reference among the first k (strict)",
    "near": "the same, a direct neighbour of that passage counting as well",
    "all": "share of its true passages among the first k, mean over pictures",
    "document": "share of pictures whose first document embeds them (Top-1 document)",
    "mrr": "mean of 1 / rank of the first true passage, 0 where it was not proposed",
    "margin_passage": "points (0-10) between the best true passage and the best other one, mean over pictures (Δ)",
    "image": "share of passages whose first picture is one they embed; other ones they show are set aside",
    "margin_image": "points between the right picture of a passage and the best wrong one, mean over passages (Δ)",
    "no_candidate": "share of pictures for which no passage was proposed at all",
    "kept_precision": "share of the passage edges kept by the collection's rule that are true",
    "kept_coverage": "share of pictures with such an edge",
    "suggestion": "share of the suggestions of the orphan report (its first k) whose document embeds the picture",
    "suggestion_coverage": "share of pictures for which the orphan report suggests a passage",
    "ece_passage": "expected calibration error of the first passage's confidence",
    "ece_document": "the same of the first document",
    "concept": "share of pictures whose first concept is named in a passage, or its headings, that embeds them",
    "ece_concept": "expected calibration error of the first concept's confidence",
}
"""Name → meaning. What is not proposed scores 0 points. `ece_…_floor`: see reliability.simulated_floor."""
KIND_OF = {"ece_passage": "chunk", "ece_document": "document", "ece_concept": "concept"}


@dataclass(frozen=True)
class Sample:
    """The values of one measure, a row per picture or passage."""

    metric: str
    k: int | None
    values: Values
    statistic: Statistic = mean

    def estimates(self) -> Iterator[tuple[str, int | None, Estimate]]:
        """Metric, k and estimate; a calibration error is followed by its floor; nothing where nothing was asked."""
        found = estimate(self.values, self.statistic)
        if found:
            yield self.metric, self.k, found
        if found and self.metric in KIND_OF:
            yield f"{self.metric}_floor", self.k, simulated_floor(self.values[:, 0])


def measure(
    evidence: pl.DataFrame, rivals: pl.DataFrame, suggestions: pl.DataFrame, truth: pl.DataFrame
) -> list[Sample]:
    """All measures of pictures in `truth`. `evidence` and `rivals` are those of a HiddenRun; see `suggested`, too."""
    answers = with_truth(evidence, truth)
    passages = _by_picture(answers, truth)
    images = _by_passage(rivals, truth)
    return [
        *_ranks(passages),
        Sample("document", 1, _first(answers, truth, "document")[:, 1]),
        Sample("margin_passage", None, _known(passages["margin"])),
        Sample("image", 1, _values(images["first_is_right"])),
        Sample("margin_image", None, _known(images["margin"])),
        *_kept(answers, truth),
        *_suggestions(suggestions, truth),
        *(
            Sample(metric, None, top1_answers(answers, truth, kind), calibration_error)
            for metric, kind in KIND_OF.items()
        ),
        Sample("concept", 1, _first(answers, truth, "concept")[:, 1]),
    ]


def measure_ranks(found: pl.DataFrame, truth: pl.DataFrame) -> list[Sample]:
    """The measures that need nothing but ranks: image_id, text_kind, text_id, rank."""
    unscored = found.with_columns(score=pl.lit(None, pl.Float64()), confidence=pl.lit(None, pl.Float64()))
    answers = with_truth(unscored, truth)
    documents = _first(answers, truth, "document")[:, 1]
    return [*_ranks(_by_picture(answers, truth)), Sample("document", 1, documents)]


def top1_answers(answers: pl.DataFrame, truth: pl.DataFrame, kind: str) -> Values:
    """Confidence and rightness of the first text of this kind, for each asked picture that has one: (n, 2)."""
    found = _first(answers, truth, kind)
    return found[~np.isnan(found[:, 0])]


def _ranks(passages: pl.DataFrame) -> list[Sample]:
    """Of frames as _by_picture gives them."""
    return [
        *(Sample("recall", k, _values(passages["first"] <= k)) for k in CUTOFFS),
        *(Sample("near", k, _values(passages["first_near"] <= k)) for k in CUTOFFS),
        Sample("all", CUTOFFS[-1], _values(passages["share_found"])),
        Sample("mrr", None, _values(1 / passages["first"])),
        Sample("no_candidate", None, _values(passages["candidates"] == 0)),
    ]


def _by_picture(answers: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Per asked picture: first, first_near (rank), share_found, margin (points), candidates."""
    strict = truth.filter("strict", text_kind="chunk").group_by("image_id").agg(true=pl.len())
    found = (
        answers.filter(text_kind="chunk")
        .group_by("image_id")
        .agg(
            first=pl.col("rank").filter("right").min(),
            first_near=pl.col("rank").filter("near").min(),
            found=(pl.col("right") & (pl.col("rank") <= CUTOFFS[-1])).sum(),
            margin=_margin(),
            candidates=pl.len(),
        )
    )
    return (
        strict.join(found, on="image_id", how="left")
        .with_columns(pl.col("found", "candidates").fill_null(0))
        .with_columns(share_found=pl.col("found") / pl.col("true"))
        .sort("image_id")
    )


def _by_passage(rivals: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Per pass and passage that embeds an asked picture: first_is_right, margin (points)."""
    passages = truth.filter("strict", text_kind="chunk").select("text_id").unique()
    ordered = rivals.sort("log_odds", "image_id", descending=[True, False], nulls_last=True)
    found = ordered.group_by("fold", "text_id", maintain_order=True).agg(
        first_is_right=pl.col("right").first(), margin=_margin()
    )
    # A passage for which no picture was proposed has no row; it is asked all the same.
    return passages.join(found, on="text_id", how="left").sort("text_id", "fold")


def _margin() -> pl.Expr:
    """Points between the best right one and the best wrong one; null where there is no wrong one, or no scores."""
    right = pl.col("score").filter("right").max().fill_null(0.0)
    return right - pl.col("score").filter(~pl.col("right")).max()


def _first(answers: pl.DataFrame, truth: pl.DataFrame, kind: str) -> Values:
    """Confidence (NaN without one) and rightness of the first text of each asked picture, (n, 2)."""
    best = answers.filter(text_kind=kind, rank=1).select("image_id", "confidence", "right")
    joined = asked(truth, kind).to_frame().join(best, on="image_id", how="left", maintain_order="left")
    return np.column_stack(
        [joined["confidence"].cast(pl.Float64).to_numpy(), joined["right"].fill_null(False).to_numpy()]
    ).astype(np.float64)


def _kept(answers: pl.DataFrame, truth: pl.DataFrame) -> list[Sample]:
    pictures = asked(truth, "chunk")
    kept = answers.filter("kept", text_kind="chunk").filter(pl.col("image_id").is_in(pictures.implode()))
    return [
        Sample("kept_precision", None, _values(kept["right"])),
        Sample("kept_coverage", None, _values(pictures.is_in(kept["image_id"].unique().implode()))),
    ]


def _suggestions(suggestions: pl.DataFrame, truth: pl.DataFrame) -> list[Sample]:
    """The first of each pass are those of its own list, real orphans, of which nothing is known, left out."""
    pictures = asked(truth, "chunk")
    right = truth.filter(text_kind="document").select("image_id", document_id="text_id", right=pl.lit(True))
    found = (
        suggestions.filter(pl.col("image_id").is_in(pictures.implode()))
        .sort("fold", "rank")
        .join(right, on=["image_id", "document_id"], how="left", maintain_order="left")
        .with_columns(place=pl.int_range(1, pl.len() + 1).over("fold"))
    )
    first = found.filter(pl.col("place") <= FIRST_SUGGESTIONS)
    return [
        Sample("suggestion", FIRST_SUGGESTIONS, _values(first["right"])),
        Sample("suggestion", None, _values(found["right"])),
        Sample("suggestion_coverage", None, _values(pictures.is_in(found["image_id"].unique().implode()))),
    ]


def _values(column: pl.Series) -> Values:
    """Float64; null, that is: not found, counts as 0."""
    return column.cast(pl.Float64).fill_null(0.0).to_numpy()


def _known(column: pl.Series) -> Values:
    return column.drop_nulls().cast(pl.Float64).to_numpy()
