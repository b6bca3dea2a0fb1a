"""What each part of the order adds where a reranker scores: words alone, the reranker alone, both fused."""

from collections.abc import Mapping

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.config import Collection
from kg_pipeline.evaluation.hidden_run import HiddenRun
from kg_pipeline.evaluation.measures import measure_ranks
from kg_pipeline.evidence import is_evidence_model, judge, score_pairs
from kg_pipeline.tables import TABLES

WORDS, RERANKER, FUSED = "evidence model alone", "reranker alone", "both, fitted"
Parts = Mapping[str, pl.DataFrame]
"""By part: metric, k, value, n, ci_low, ci_high of the measures that need nothing but ranks."""


def parts_of(
    collection: Collection, corpus: Corpus, run: HiddenRun, fused: pl.DataFrame | None, truth: pl.DataFrame
) -> Parts:
    """Empty where the evidence model is the scorer. All parts order the same candidates.

    `run` as the reranker ordered it, `fused` its evidence by fitted weights, of which the reranker's log-odds is one
    feature; None where nothing was fitted.
    """
    if all(map(is_evidence_model, run.evidence["scorer"].drop_nulls().unique())):
        return {}
    pairs = run.pairs.drop("fold")
    by_words = judge(collection, corpus, pairs, score_pairs(pairs), TABLES["verdicts"].empty())
    orders = {WORDS: by_words, RERANKER: run.evidence} | ({} if fused is None else {FUSED: fused})
    return {part: _measured(evidence, truth) for part, evidence in orders.items()}


def _measured(evidence: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {"metric": metric, "k": k, "value": found.value, "n": found.n, "ci_low": found.low, "ci_high": found.high}
        for sample in measure_ranks(evidence, truth)
        for metric, k, found in sample.estimates()
    ]
    return pl.DataFrame(rows, schema_overrides={"k": pl.Int64})
