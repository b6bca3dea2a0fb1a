"""Reciprocal rank fusion of the strategies, the caps and quotas, and the pairs of visible references."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.ordering import Best
from kg_pipeline.candidates.shortlist import Shortlist
from kg_pipeline.config import Scoring

RRF_K = 60  # Cormack, Clarke, Büttcher 2009; flat enough that a single strategy cannot decide alone
PASSAGE_SHARE, SPREAD_SHARE = 0.25, 0.5
"""Of the proposals of an image: best passages wherever they stand, then at most `PER_DOCUMENT` of any document."""
PER_DOCUMENT = 15
REFERENCE = "reference"
NAMES = ("lexical", "lexical_passage", "proximity", "sibling", "embedding", REFERENCE)
"""Strategies in the order in which a pair lists them; as a set of a pair, bit n stands for the n-th."""
BIT: Mapping[str, int] = {name: 1 << place for place, name in enumerate(NAMES)}
TEXTS_AT_ONCE = 250_000


def fuse(shortlist: Shortlist, proposed: Mapping[str, Best]) -> pl.DataFrame:
    """One row per proposed pair and per pair of a visible reference, which orders nothing and knows no score.

    image and text (rows of the corpus's fields), document, row and column in the shortlist, strategies (bits),
    fused_score, passage_rank (null where the passage's own words did not propose it).
    """
    shape = shortlist.passages.shape
    score, bits, passage_rank = np.zeros(shape), np.zeros(shape, np.uint8), np.zeros(shape, np.int32)
    for name, (rows, columns, ranks) in proposed.items():
        score[rows, columns] += 1 / (RRF_K + ranks)
        bits[rows, columns] |= BIT[name]
        if name == "lexical_passage":
            passage_rank[rows, columns] = ranks
    bits[shortlist.asked] |= BIT[REFERENCE]
    row, column = np.nonzero(bits)
    text = shortlist.passages[row, column]
    fields = shortlist.corpus.fields
    return (
        pl.DataFrame(
            {
                "image": shortlist.rows[row].astype(np.uint32),
                "text": text.astype(np.uint32),
                "document": fields.chunk_document[text],
                "row": row.astype(np.uint32),
                "column": column.astype(np.uint32),
                "strategies": bits[row, column],
                "fused_score": score[row, column],
                "passage_rank": passage_rank[row, column],
                "order": fields.chunk_order[text],
            }
        )
        .with_columns(pl.col("fused_score").round(9), pl.col("passage_rank").replace(0, None))
        .sort("image", "fused_score", "order", descending=[False, True, False])
    )


def cap(fused: pl.DataFrame, scoring: Scoring) -> pl.DataFrame:
    """`fused` with by_image: whether a pair survives the cap of its image. That of a reference alone never does."""
    order = pl.int_range(pl.len())
    proposed = pl.col("strategies") != BIT[REFERENCE]
    by_passage = pl.col("passage_rank").fill_null(scoring.proposals + 1) <= int(PASSAGE_SHARE * scoring.proposals)
    return (
        fused.with_columns(spread=order.over("image", "document") < PER_DOCUMENT)
        .with_columns(spread=pl.col("spread") & ~by_passage)
        .with_columns(nth_spread=pl.col("spread").cum_sum().over("image"))
        .with_columns(
            tier=pl.when(~proposed)
            .then(3)
            .when(by_passage)
            .then(0)
            .when(pl.col("spread") & (pl.col("nth_spread") <= int(SPREAD_SHARE * scoring.proposals)))
            .then(1)
            .otherwise(2)
        )
        .sort("image", "tier", maintain_order=True)
        .with_columns(by_image=(order.over("image") < scoring.proposals) & proposed)
        .drop("document", "spread", "nth_spread", "tier", "passage_rank", "order")
    )


def within_quota(pairs: pl.DataFrame, images_per_text: int) -> NDArray[np.bool_]:
    """Whether the image of a pair is among the best of its text, of equal ones the first; never by a reference alone.

    `pairs` has the columns text, fused_score and strategies, and is sorted by image.
    """
    text, score = pairs["text"].to_numpy(), pairs["fused_score"].to_numpy()
    proposed = (pairs["strategies"] != BIT[REFERENCE]).to_numpy()
    within = np.zeros(len(pairs), np.bool_)
    for first in range(0, int(text.max(initial=0)) + 1, TEXTS_AT_ONCE):
        mine = np.flatnonzero(proposed & (text >= first) & (text < first + TEXTS_AT_ONCE))
        order = mine[np.lexsort((-score[mine], text[mine]))]
        size = np.bincount(text[order] - first, minlength=1)
        nth = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
        within[order[nth < images_per_text]] = True
    return within


def strategy_lists(bits: pl.Series) -> pl.Series:
    """The names that sets of strategies stand for."""
    known = [[name for name in NAMES if number & BIT[name]] for number in range(1 << len(NAMES))]
    return pl.Series("strategies", known, pl.List(pl.String())).gather(bits)
