"""What blocking did, in Splink's words: pairs per strategy, overlap, reduction ratio, what the caps cut."""

import polars as pl

from kg_pipeline.candidates.corpus import Corpus

Diagnostics = dict[str, dict[str, int | float]]
"""Section → name → number, ready for run metadata."""


def diagnose(corpus: Corpus, proposals: pl.DataFrame, capped: pl.DataFrame, pairs: pl.DataFrame) -> Diagnostics:
    """`capped` has the columns by_image and by_text of `cap`; `pairs` is what blocking returns."""
    possible = len(corpus.images) * (len(corpus.chunks) + len(corpus.concepts))
    kept = pairs.explode("strategies").group_by("strategies").len().sort("strategies")
    alone = pairs.filter(pl.col("strategies").list.len() == 1).explode("strategies").group_by("strategies").len()
    survives = pl.col("by_image") | pl.col("by_text")
    return {
        "proposed": _counts(proposals.group_by("strategy").len().sort("strategy")),
        "pairs": _counts(kept),
        "pairs_of_one_strategy_only": _counts(alone.sort("strategies")),
        "overlap": _overlap(pairs),
        "caps": {
            "proposed": len(capped),
            "cut": len(capped.filter(~survives)),
            "kept_by_text_quota_only": len(capped.filter(~pl.col("by_image") & pl.col("by_text"))),
        },
        "total": {
            "pairs": len(pairs),
            "possible": possible,
            "reduction_ratio": round(1 - len(pairs) / possible, 6) if possible else 0.0,
            "images_without_pairs": len(corpus.images.join(pairs, on="image_id", how="anti")),
        },
    }


def _overlap(pairs: pl.DataFrame) -> dict[str, int | float]:
    """Pairs that two strategies share."""
    rows = pairs.select("image_id", "text_kind", "text_id", "strategies").explode("strategies")
    both = rows.join(rows, on=["image_id", "text_kind", "text_id"], suffix="_other")
    both = both.filter(pl.col("strategies") < pl.col("strategies_other"))
    names = pl.concat_str("strategies", pl.lit(" & "), "strategies_other")
    return _counts(both.group_by(names.alias("both")).len().sort("both"))


def _counts(frame: pl.DataFrame) -> dict[str, int | float]:
    return {str(name): int(count) for name, count in frame.iter_rows()}
