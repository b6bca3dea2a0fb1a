"""What people read first: the measures in their order, with their names and units."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from kg_pipeline.evaluation.baseline import FILE_NAME
from kg_pipeline.evaluation.intervals import Estimate


@dataclass(frozen=True)
class Headline:
    """A measure as it is shown."""

    label: str
    metric: str
    k: int | None = None
    percent: bool = True

    def number(self, value: float) -> str:
        """`98.5` for a share, `1.74` for points."""
        shown = f"{100 * value:.1f}" if self.percent else f"{value:.2f}"
        return shown.removeprefix("-") if float(shown) == 0 else shown

    def change(self, delta: float) -> str:
        """With its sign."""
        return f"{100 * delta:+.1f}" if self.percent else f"{delta:+.2f}"

    def estimate(self, table: pl.DataFrame) -> Estimate | None:
        """The measure in rows that differ in nothing but metric and k."""
        rows = self.rows(table)
        return Estimate(*rows.select("value", "n", "ci_low", "ci_high").row(0)) if len(rows) else None

    def rows(self, table: pl.DataFrame) -> pl.DataFrame:
        """The rows of this measure."""
        return table.filter((pl.col("metric") == self.metric) & pl.col("k").eq_missing(pl.lit(self.k)))


HEADLINES = (
    Headline("recall@50 strict", "recall", 50),
    Headline("recall@10 strict", "recall", 10),
    Headline("strict@1", "recall", 1),
    Headline("near@50", "near", 50),
    Headline("near@10", "near", 10),
    Headline("near@1", "near", 1),
    Headline("all@50", "all", 50),
    Headline("Top-1 document", "document", 1),
    Headline("Top-1 image of a passage", "image", 1),
    Headline("Top-1 concept", "concept", 1),
    Headline("MRR", "mrr", percent=False),
    Headline("Δ passages, points", "margin_passage", percent=False),
    Headline("Δ images, points", "margin_image", percent=False),
    Headline("without candidate", "no_candidate"),
    Headline("kept edges: precision", "kept_precision"),
    Headline("kept edges: coverage", "kept_coverage"),
    Headline("first 10 suggestions: right document", "suggestion", 10),
    Headline("suggestions: right document", "suggestion"),
    Headline("suggestions: coverage", "suggestion_coverage"),
    Headline("ECE first passage", "ece_passage", percent=False),
    Headline("  its floor", "ece_passage_floor", percent=False),
    Headline("ECE first document", "ece_document", percent=False),
    Headline("  its floor", "ece_document_floor", percent=False),
    Headline("ECE first concept", "ece_concept", percent=False),
    Headline("  its floor", "ece_concept_floor", percent=False),
)
SCENARIO_HEADLINES = tuple(HEADLINES[place] for place in (0, 1, 2, 5, 7, 8))
"""The few that are shown by scenario."""


def part(table: pl.DataFrame, *, baseline: bool = False, **where: Any) -> pl.DataFrame:
    """The rows of one scenario, protocol and stress, of the scorer or of the baseline."""
    return table.filter((pl.col("scorer") == FILE_NAME) == baseline, **where)
