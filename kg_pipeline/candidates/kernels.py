"""The inner loop: scores of chosen pairs of sparse rows, compiled on first use and kept beside the source."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Side = tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float32]]
"""indptr, indices (sorted in each row) and data of a CSR matrix; without data it holds ones."""


# Not numba's own threads: its default layer must not be entered by two threads of a process at once, and could not be
# kept on disk. The lock of the interpreter is released instead.
@numba.njit(nogil=True, cache=True)  # type: ignore[misc, unused-ignore]
def pair_products(
    query: Side,
    text: Side,
    rows: NDArray[np.int64],
    places: NDArray[np.int32],
    result: NDArray[np.float32],
    columns: int,
) -> None:
    """Product of query `rows[i]` with text `places[i, j]` for all i and j into `result`, 0 where the place is negative.

    Sums run over ascending columns, as in scipy's product, so that both give the same bits.
    """
    query_start, query_column, query_value = query
    text_start, text_column, text_value = text
    weighted = len(text_value) > 0
    weights = np.zeros(columns, np.float32)
    for i in range(len(rows)):
        first, last = query_start[rows[i]], query_start[rows[i] + 1]
        for k in range(first, last):
            weights[query_column[k]] = query_value[k]
        for j in range(places.shape[1]):
            total = np.float32(0)
            chosen = places[i, j]
            if chosen >= 0 and first < last:
                for k in range(text_start[chosen], text_start[chosen + 1]):
                    weight = weights[text_column[k]]
                    if weight != 0:
                        total += weight * text_value[k] if weighted else weight
            result[i, j] = total
        for k in range(first, last):
            weights[query_column[k]] = 0
