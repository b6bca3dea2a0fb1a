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
        self._caps: Counter[str] = Counter({"proposed": 0, "cut": 0, "kept_by_text_quota_only": 0})
        self._sets: Counter[int] = Counter()
        self._images: list[pl.Series] = []

    def count_proposed(self, proposed: Mapping[str, Best]) -> None:
        """Proposals of each strategy for some pictures."""
        self._proposed.update({name: len(rows) for name, (rows, _, _) in proposed.items()})

    def count_capped(self, by_image: pl.Series, by_text: pl.Series, strategies: pl.Series) -> None:
        """What each cap lets through of the proposed pairs of some pictures."""
        proposed = strategies != BIT[REFERENCE]
        self._caps.update(
            proposed=int(proposed.sum()),
            cut=int((proposed & ~by_image & ~by_text).sum()),
            kept_by_text_quota_only=int((~by_image & by_text).sum()),
        )

    def count_kept(self, pairs: pl.DataFrame) -> None:
        """Pairs of some pictures that survive: image and strategies (bits)."""
        self._sets.update(dict(pairs.group_by("strategies").len().iter_rows()))
        self._images.append(pairs["image"].unique())

    def diagnostics(self, concepts: pl.DataFrame) -> Diagnostics:
        """`concepts` is what blocking returns."""
        corpus = self._corpus
        counted = [
            *zip(strategy_lists(pl.Series(list(self._sets), dtype=pl.UInt8())), self._sets.values(), strict=True),
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
        pairs = self._sets.total() + len(concepts)
        with_pairs = pl.concat([*map(corpus.fields.image_ids.gather, self._images), concepts["image_id"].unique()])
        return {
            "proposed": _sorted(self._proposed),
            "pairs": _sorted(kept),
            "pairs_of_one_strategy_only": _sorted(alone),
            "overlap": _sorted(overlap),
            "caps": dict(self._caps),
            "total": {
                "pairs": pairs,
                "possible": possible,
                "reduction_ratio": round(1 - pairs / possible, 6) if possible else 0.0,
                "images_without_pairs": len(corpus.images) - with_pairs.n_unique(),
            },
        }


def _sorted(counts: Counter[str]) -> dict[str, int | float]:
    return dict(sorted(counts.items()))
