"""The plots of a run, from its own tables: scores, confidences, and whether the references agree."""

from dataclasses import replace

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.evaluation import truth_of, with_truth
from kg_pipeline.evaluation.measures import top1_answers
from kg_pipeline.reports.distributions import CONFIDENCE, SCORE, histogram, reliability_plot
from kg_pipeline.reports.plots import Plot

KINDS = {"chunk": "passages", "document": "documents", "concept": "concepts"}


def scores_of_pairs(pair_scores: pl.DataFrame) -> Plot | None:
    """Candidate pairs by score, passages and concepts apart; None where nothing was scored."""
    scored = pair_scores.drop_nulls("score")
    kinds = [kind for kind in KINDS if not scored.filter(text_kind=kind).is_empty()]
    values = {KINDS[kind]: scored.filter(text_kind=kind)["score"].to_numpy() for kind in kinds}
    note = "candidate pairs by score, on a logarithmic scale"
    return histogram("Scores of the pairs", note, SCORE, values) if values else None


def shares_of_confidence(visual_evidence: pl.DataFrame) -> Plot | None:
    """Pairs of picture and passage by confidence, kept and not kept; None where nothing was scored."""
    pairs = visual_evidence.filter(text_kind="chunk").drop_nulls("confidence")
    if pairs.is_empty():
        return None
    return histogram(
        "Confidence of the pairs",
        "pairs of picture and passage, on a logarithmic scale; kept ones become edges",
        CONFIDENCE,
        {
            "kept": pairs.filter("kept")["confidence"].to_numpy(),
            "not kept": pairs.filter(~pl.col("kept"))["confidence"].to_numpy(),
        },
    )


def reliability_of_references(corpus: Corpus, visual_evidence: pl.DataFrame) -> Plot | None:
    """Confidence of each picture's first document against whether a document there references it; None without any.

    No picture's evidence uses its own references. A calibrated confidence was fitted on them, though: `evaluation`
    measures it on pictures that were held out.
    """
    truth = truth_of(corpus)
    answers = top1_answers(with_truth(visual_evidence, truth), truth, "document")
    plot = reliability_plot("First document: do the references agree?", answers)
    return plot and replace(plot, note=f"{plot.note}. Of this run; `evaluation` measures on held-out pictures")
