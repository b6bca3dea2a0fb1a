"""A whole evaluation of a collection: every protocol under every stress, measured by scenario, beside the baseline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.config import Collection
from kg_pipeline.evaluation.baseline import FILE_NAME, file_name_baseline
from kg_pipeline.evaluation.cross_fitting import can_fit, cross_fitted
from kg_pipeline.evaluation.errors import EvaluationError
from kg_pipeline.evaluation.hidden_run import HiddenRun, Protocol, Score, hidden_run
from kg_pipeline.evaluation.intervals import Estimate, Values, average
from kg_pipeline.evaluation.measures import CUTOFFS, KIND_OF, Sample, measure, measure_ranks, top1_answers
from kg_pipeline.evaluation.parts import Parts, parts_of
from kg_pipeline.evaluation.reliability import calibration_error
from kg_pipeline.evaluation.scenarios import ALL, scenarios
from kg_pipeline.evaluation.stress import stress_name, stressed
from kg_pipeline.evaluation.suggestions import suggested
from kg_pipeline.evaluation.truth import asked, truth_of, with_truth
from kg_pipeline.evidence import EVIDENCE_SCORER, score_pairs
from kg_pipeline.tables import TABLES

TABLE = TABLES["evaluation"]
DIGITS = 6
FITTED = " + fitted"
"""Stands behind the scorer where weights and curves were fitted on the other folds."""
Row = dict[str, object]


@dataclass(frozen=True)
class Outcome:
    """What one protocol under one stress found."""

    protocol: str
    stress: str
    scorer: str
    run: HiddenRun
    answers: pl.DataFrame
    """The evidence of the asked pictures with the columns right and near."""
    truth: pl.DataFrame
    baseline: pl.DataFrame
    """What the file name alone found: image_id, text_kind, text_id, rank."""
    parts: Parts = field(default_factory=dict)
    """With a reranker: what each part of the order finds alone."""

    @property
    def name(self) -> str:
        """`cold`, `folds`, with the stress if there is any."""
        return self.protocol if self.stress == "none" else f"{self.protocol}, {self.stress}"

    def top1(self, kind: str) -> Values:
        """Confidence and rightness of the first text of this kind, (pictures, 2)."""
        return top1_answers(self.answers, self.truth, kind)


@dataclass(frozen=True)
class Evaluation:
    """How well one collection's references were found again."""

    collection: str
    corpus: Corpus
    outcomes: tuple[Outcome, ...]
    table: pl.DataFrame
    """Table evaluation."""


def evaluate(
    collection: Collection,
    corpus: Corpus,
    protocols: Sequence[Protocol] = ("cold",),
    stresses: Sequence[frozenset[str]] = (frozenset(),),
    facets: tuple[str, ...] = (),
    score: Score = lambda _, pairs: score_pairs(pairs),
    *,
    fitted: bool = True,
) -> Evaluation:
    """Hide the references of `corpus`, run the pipeline, measure. Raises EvaluationError when there is nothing to hide.

    `facets` (see scenarios.FACETS) are measured apart beside the whole. `fitted`: where there are references enough,
    judge each fold by weights and curves of the other folds, as a calibrated collection is judged; but what pictures
    rank for a passage is measured by the scorer alone.
    """
    truth = truth_of(corpus)
    if truth.is_empty():
        raise EvaluationError(
            f"collection {collection.name}: no document embeds a picture that was found, so there is no reference to "
            "hide and nothing to measure. `kg-pipeline tables references` says what the documents embed; site-absolute "
            "links need --site-root"
        )
    parts = scenarios(corpus, truth, facets)
    outcomes, rows = [], []
    for stress in stresses:
        hard = stressed(corpus, stress)
        baseline = file_name_baseline(hard, CUTOFFS[-1])
        for protocol in protocols:
            run = hidden_run(collection, hard, protocol, score)
            scorer = ", ".join(run.evidence["scorer"].drop_nulls().unique().sort()) or EVIDENCE_SCORER
            fused = None
            if fitted and protocol == "folds" and can_fit(truth):
                fused = cross_fitted(collection, hard, run, truth)
                scorer += FITTED
            added = parts_of(collection, hard, run, fused, truth)
            run = run if fused is None else replace(run, evidence=fused)
            outcome = replace(_outcome(run, scorer, protocol, stress, truth, baseline), parts=added)
            outcomes.append(outcome)
            suggestions = suggested(hard, protocol, outcome.run.evidence)
            for scenario, part in parts.items():
                where: Row = {"scenario": scenario, "protocol": protocol, "stress": outcome.stress}
                found = measure(outcome.run.evidence, outcome.run.rivals, suggestions, part)
                rows += rows_of(found, {**where, "scorer": outcome.scorer})
                rows += rows_of(measure_ranks(baseline, part), {**where, "scorer": FILE_NAME})
    return Evaluation(collection.name, corpus, tuple(outcomes), TABLE.rows(rows))


def average_table(evaluations: Sequence[Evaluation]) -> pl.DataFrame:
    """Table evaluation of several collections: what all of them measured, each collection weighing the same.

    Calibration errors are those of all answers pooled: of a few hundred answers they are mostly noise.
    """
    pooled = TABLE.rows(list(_pooled(evaluations)))
    key = ["scenario", "protocol", "stress", "metric", "k"]
    rows = []
    whole = pl.concat(evaluation.table for evaluation in evaluations)
    whole = whole.with_columns(baseline=pl.col("scorer") == FILE_NAME)
    for part in whole.partition_by([*key, "baseline"], maintain_order=True):
        first = part.row(0, named=True)
        if len(part) == len(evaluations) and not first["metric"].startswith("ece_"):
            estimates = [Estimate(*row) for row in part.select("value", "n", "ci_low", "ci_high").iter_rows()]
            names = {name: first[name] for name in ("scenario", "protocol", "stress", "scorer", "metric", "k")}
            rows.append({**names, **_numbers(average(estimates))})
    return pl.concat([TABLE.rows(rows), pooled]).sort(TABLE.key, nulls_last=True)


def _outcome(
    run: HiddenRun, scorer: str, protocol: Protocol, stress: frozenset[str], truth: pl.DataFrame, baseline: pl.DataFrame
) -> Outcome:
    of_asked = pl.col("image_id").is_in(asked(truth, "chunk").implode())
    answers = with_truth(run.evidence.filter(of_asked), truth)
    return Outcome(protocol, stress_name(stress), scorer, run, answers, truth, baseline)


def _pooled(evaluations: Sequence[Evaluation]) -> Iterator[Row]:
    for outcomes in zip(*(evaluation.outcomes for evaluation in evaluations), strict=True):
        first = outcomes[0]
        where: Row = {"scenario": ALL, "protocol": first.protocol, "stress": first.stress, "scorer": first.scorer}
        for metric, kind in KIND_OF.items():
            answers = np.concatenate([outcome.top1(kind) for outcome in outcomes])
            yield from rows_of([Sample(metric, None, answers, calibration_error)], where)


def rows_of(samples: Iterable[Sample], where: Mapping[str, object]) -> list[Row]:
    """Rows of the table evaluation; `where` gives scenario, protocol, stress, scorer."""
    return [
        {**where, "metric": metric, "k": k, **_numbers(found)}
        for sample in samples
        for metric, k, found in sample.estimates()
    ]


def _numbers(found: Estimate) -> Row:
    value, n, low, high = found
    return {
        "value": round(value, DIGITS), "n": n, "ci_low": round(low, DIGITS), "ci_high": round(high, DIGITS),
    }  # fmt: skip
