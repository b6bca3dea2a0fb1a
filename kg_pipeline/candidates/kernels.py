"""The inner loops: scores of chosen pairs of sparse rows, compiled on first use and kept beside the source.

Sums run over ascending columns, as in scipy's product, so that both give the same bits.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Side = tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float32]]
"""indptr, indices (sorted in each row) and data of a CSR matrix."""
Bm25Side = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any], NDArray[np.float32], NDArray[np.float32]]
"""indptr, indices, counts, norm of each row, IDF of each column."""

SATURATION = np.float32(2.2)
"""k1 + 1 of BM25."""
FAR = 255
"""A byte that says: so much further, and it goes on."""

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(kernel: Kernel) -> Kernel:
    """The kernel, compiled when it is first called with these types.

    Not with numba's own threads: its default layer must not be entered by two threads of a process at once, and could
    not be kept on disk. The lock of the interpreter is released instead.
    """
    return cast(Kernel, numba.njit(nogil=True, cache=True)(kernel))


@compiled
def _spread(query: Side, row: int, weights: NDArray[np.float32]) -> bool:
    """Put a query's weights where its columns are; whether there are any."""
    start, column, value = query
    for k in range(start[row], start[row + 1]):
        weights[column[k]] = value[k]
    return bool(start[row] < start[row + 1])


@compiled
def _clear(query: Side, row: int, weights: NDArray[np.float32]) -> None:
    """Take a query's weights away again, which costs less than a new array of all columns."""
    start, column, _ = query
    for k in range(start[row], start[row + 1]):
        weights[column[k]] = 0


@compiled
def pair_products(
    columns: int,
    query: Side,
    text: Side,
    rows: NDArray[np.int64],
    places: NDArray[np.int32],
    result: NDArray[np.float32],
) -> None:
    """Product of query `rows[i]` with text `places[i, j]` for all i and j into `result`, 0 where the place is < 0."""
    text_start, text_column, text_value = text
    weights = np.zeros(columns, np.float32)
    for i in range(len(rows)):
        asked = _spread(query, rows[i], weights)
        for j in range(places.shape[1]):
            total = np.float32(0)
            chosen = places[i, j]
            if asked and chosen >= 0:
                for k in range(text_start[chosen], text_start[chosen + 1]):
                    weight = weights[text_column[k]]
                    if weight != 0:
                        total += weight * text_value[k]
            result[i, j] = total
        _clear(query, rows[i], weights)


@compiled
def bm25_products(
    query: Side, text: Bm25Side, rows: NDArray[np.int64], places: NDArray[np.int32], result: NDArray[np.float32]
) -> None:
    """BM25 of query `rows[i]` on text `places[i, j]`, as `pair_products`."""
    text_start, text_column, counts, norm, idf = text
    weights = np.zeros(len(idf), np.float32)
    for i in range(len(rows)):
        asked = _spread(query, rows[i], weights)
        for j in range(places.shape[1]):
            total = np.float32(0)
            chosen = places[i, j]
            if asked and chosen >= 0:
                for k in range(text_start[chosen], text_start[chosen + 1]):
                    weight = weights[text_column[k]]
                    if weight != 0:
                        count = np.float32(counts[k])
                        total += weight * (count * SATURATION / (count + norm[chosen]) * idf[text_column[k]])
            result[i, j] = total
        _clear(query, rows[i], weights)


@compiled
def bm25_postings(
    text: Bm25Side,
    wanted: NDArray[np.bool_],
    ends: NDArray[np.int64],
    texts: NDArray[np.int32],
    values: NDArray[np.float32],
) -> None:
    """The texts of each wanted column, ascending, and its BM25 in them; `ends` says where each begins, and is moved."""
    text_start, text_column, counts, norm, idf = text
    for row in range(len(norm)):
        for k in range(text_start[row], text_start[row + 1]):
            column = text_column[k]
            if wanted[column]:
                count = np.float32(counts[k])
                texts[ends[column]] = row
                values[ends[column]] = count * SATURATION / (count + norm[row]) * idf[column]
                ends[column] += 1


@compiled
def packed(starts: NDArray[Any], columns: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Ascending columns of each row as distances from one to the next, and how many bytes each row takes.

    A byte below FAR ends a distance; the first is that from -1.
    """
    size = np.zeros(len(starts) - 1, np.int64)
    for row in range(len(size)):
        before = -1
        for k in range(starts[row], starts[row + 1]):
            size[row] += (columns[k] - before) // FAR + 1
            before = columns[k]
    distances = np.empty(size.sum(), np.uint8)
    place = 0
    for row in range(len(size)):
        before = -1
        for k in range(starts[row], starts[row + 1]):
            distance = columns[k] - before
            while distance >= FAR:
                distances[place] = FAR
                distance -= FAR
                place += 1
            distances[place] = distance
            place += 1
            before = columns[k]
    return distances, size


@compiled
def pair_shares(
    columns: int,
    query: Side,
    starts: NDArray[np.int64],
    distances: NDArray[np.uint8],
    rows: NDArray[np.int64],
    places: NDArray[np.int32],
    result: NDArray[np.float32],
) -> None:
    """Sum of the weights of query `rows[i]` whose columns the packed text `places[i, j]` has, as `pair_products`."""
    weights = np.zeros(columns, np.float32)
    for i in range(len(rows)):
        asked = _spread(query, rows[i], weights)
        for j in range(places.shape[1]):
            total = np.float32(0)
            chosen = places[i, j]
            if asked and chosen >= 0:
                column = -1
                for k in range(starts[chosen], starts[chosen + 1]):
                    column += distances[k]
                    if distances[k] < FAR:
                        total += weights[column]
            result[i, j] = total
        _clear(query, rows[i], weights)
