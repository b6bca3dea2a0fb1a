"""Picking the best of many scores, row by row, ties in order of column."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.candidates.sparse import Scores

Best: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Row, column and rank (1… per row, best first) of chosen cells."""


def chosen(scores: Scores, allowed: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """The `limit` best allowed cells of each row; of equal scores those further left."""
    ordered = np.where(allowed, scores, -np.inf)
    if limit >= ordered.shape[1]:
        return np.isfinite(ordered)
    # Everything above the limit-th value, then as many of those equal to it as there is room for.
    floor = -np.partition(-ordered, limit - 1, axis=1)[:, limit - 1 : limit]
    equal = ordered == floor
    room = limit - (ordered > floor).sum(axis=1, keepdims=True)
    best = (ordered > floor) | (equal & (np.cumsum(equal, axis=1) <= room))
    return np.asarray(best & np.isfinite(ordered), np.bool_)


def best(scores: Scores, allowed: NDArray[np.bool_], limit: int) -> Best:
    """Row, column and rank of the `limit` best allowed cells of each row; equal scores in order of column."""
    rows, columns = np.nonzero(chosen(scores, allowed, limit))
    order = np.lexsort((columns, -scores[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    counts = np.bincount(rows, minlength=len(scores))
    ranks = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    return rows, columns, ranks
