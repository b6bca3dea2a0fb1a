"""What blocking did, in Splink's words: pairs per strategy, overlap, reduction ratio, what the caps cut."""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import polars as pl

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.fusion import BIT, REFERENCE, strategy_lists
from kg_pipeline.candidates.ordering import Best

Diagnostics = dict[str, dict[str, int | float]]
"""Section → name → number, ready for run metadata."""


class Tally:
    """Counts while blocking goes on."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._proposed: Counter[str] = Counter()
        self._caps: dict[str, int | float] = {}

    def count_proposed(self, proposed: Mapping[str, Best]) -> None:
        """Proposals of each strategy for some pictures."""
        self._proposed.update({name: len(rows) for name, (rows, _, _) in proposed.items()})

    def count_capped(self, by_image: pl.Series, by_text: pl.Series, strategies: pl.Series) -> None:
        """What each cap lets through of all proposed pairs."""
        proposed = strategies != BIT[REFERENCE]
        self._caps = {
            "proposed": int(proposed.sum()),
            "cut": int((proposed & ~by_image & ~by_text).sum()),
            "kept_by_text_quota_only": int((~by_image & by_text).sum()),
        }

    def diagnostics(self, passages: pl.DataFrame, concepts: pl.DataFrame) -> Diagnostics:
        """`passages` and `concepts` are what blocking returns."""
        corpus = self._corpus
        sets = passages.group_by("strategies").len()
        counted = [
            *zip(strategy_lists(sets["strategies"]).to_list(), sets["len"].to_list(), strict=True),
            *concepts.group_by("strategies").len().iter_rows(),
        ]
        kept: Counter[str] = Counter()
        alone: Counter[str] = Counter()
        overlap: Counter[str] = Counter()
        for names, count in counted:
            kept.update(dict.fromkeys(names, count))
            alone.update(dict.fromkeys(names if len(names) == 1 else (), count))
            overlap.update(dict.fromkeys((f"{one} & {other}" for one, other in combinations(sorted(names), 2)), count))
        for names in concepts["strategies"].to_list():
            self._proposed.update(names)
        possible = len(corpus.images) * (len(corpus.chunks) + len(corpus.concepts))
        pairs = len(passages) + len(concepts)
        with_pairs = pl.concat(
            [corpus.fields.image_ids.gather(passages["image"].unique()), concepts["image_id"].unique()]
        )
        return {
            "proposed": _sorted(self._proposed),
            "pairs": _sorted(kept),
            "pairs_of_one_strategy_only": _sorted(alone),
            "overlap": _sorted(overlap),
            "caps": self._caps,
            "total": {
                "pairs": pairs,
                "possible": possible,
                "reduction_ratio": round(1 - pairs / possible, 6) if possible else 0.0,
                "images_without_pairs": len(corpus.images) - with_pairs.n_unique(),
            },
        }


def _sorted(counts: Counter[str]) -> dict[str, int | float]:
    return dict(sorted(counts.items()))
