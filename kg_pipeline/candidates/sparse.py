"""Texts as sparse matrices: rows of token numbers, n-grams, columns, IDF weights."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.tokens import squash

Matrix: TypeAlias = sparse.csr_array[Any, tuple[int, int]]
Scores: TypeAlias = NDArray[np.float32]
"""Scores of pictures on the texts that are looked at for each, (pictures, places)."""
Places: TypeAlias = NDArray[np.int32]
"""Rows of the texts that are looked at for each picture, ascending, (pictures, places); -1 where there are fewer."""
Integers: TypeAlias = NDArray[Any]

BATCH = 1_000_000
"""Keys worked on at once, some ten arrays of 8 bytes each: 80 MB."""


@dataclass(frozen=True)
class Rows:
    """Numbers of many texts behind one another, and how many each text has."""

    keys: NDArray[Any]
    lengths: NDArray[Any]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> "Rows":
        """From the token numbers of each text."""
        lengths = np.fromiter((len(text) for text in texts), np.int32, len(texts))
        keys = np.fromiter((key for text in texts for key in text), np.int32, int(lengths.sum(dtype=np.int64)))
        return cls(keys, lengths)

    @classmethod
    def of_characters(cls, texts: Iterable[str]) -> "Rows":
        """From the code points of each squashed text."""
        return cls.of_squashed([squash(text) for text in texts])

    @classmethod
    def of_squashed(cls, texts: Sequence[str]) -> "Rows":
        """From the code points of each text as it is."""
        lengths = np.fromiter((len(text) for text in texts), np.int32, len(texts))
        return cls(np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32), lengths)

    @property
    def count(self) -> int:
        """Number of texts."""
        return len(self.lengths)

    def rows(self) -> NDArray[np.int32]:
        """For each key the text it belongs to."""
        return np.repeat(np.arange(self.count, dtype=np.int32), self.lengths)

    def batches(self) -> Iterator["Rows"]:
        """The texts in batches of about BATCH keys, in order."""
        ends = np.cumsum(self.lengths, dtype=np.int64)
        cuts = np.searchsorted(ends, np.arange(BATCH, len(self.keys), BATCH)) + 1
        bounds = np.unique(np.concatenate([[0], cuts, [self.count]])).tolist()
        for first, last in pairwise(bounds):
            begin = int(ends[first - 1]) if first else 0
            yield Rows(self.keys[begin : int(ends[last - 1])], self.lengths[first:last])

    def pairs(self) -> "Rows":
        """Neighbouring numbers of each text as one number; numbers must be below 2^31."""
        row = self.rows()
        keys = self.keys.astype(np.int64)
        inside = row[1:] == row[:-1]
        return Rows((keys[:-1] << 31 | keys[1:])[inside], np.maximum(self.lengths - 1, 0))

    def triples(self) -> "Rows":
        """Three neighbours of each text as one number; numbers must be below 2^21, as code points are."""
        row = self.rows()
        keys = self.keys.astype(np.int64)
        inside = row[2:] == row[:-2]
        return Rows((keys[:-2] << 42 | keys[1:-1] << 21 | keys[2:])[inside], np.maximum(self.lengths - 2, 0))

    def regroup(self, group: Integers, count: int) -> "Rows":
        """The same numbers with text i now part of text `group[i]`; `group` must ascend."""
        return Rows(self.keys, np.bincount(group, self.lengths, count).astype(np.int64))

    def matrix(self, columns: "Columns") -> Matrix:
        """How often each of the columns occurs in each text: (texts, columns)."""
        return stacked((batch.counted(columns) for batch in self.batches()), len(columns.keys))

    def counted(self, columns: "Columns") -> Matrix:
        """The same, of one batch."""
        known, place = columns.find(self.keys)
        shape = self.count, len(columns.keys)
        return matrix_of(self.rows()[known], place, np.ones(len(known), np.float32), shape)


class Columns:
    """Sorted, distinct keys, and where others stand among them."""

    def __init__(self, *rows: Rows) -> None:
        self.keys: NDArray[Any] = np.unique(np.concatenate([each.keys for each in rows]))
        # One bit of a hash of each key: most keys of a large text are none of the columns, and found out here.
        bits = max(12, min(26, len(self.keys).bit_length() + 4))
        self._shift = np.uint64(64 - bits)
        self._seen = np.zeros(1 << bits, np.bool_)
        self._seen[self._hash(self.keys)] = True

    def find(self, keys: NDArray[Any]) -> tuple[Integers, Integers]:
        """Which of `keys` are columns, and which column each of those is."""
        if not len(self.keys):
            return np.empty(0, np.int64), np.empty(0, np.int32)
        maybe = np.flatnonzero(self._seen[self._hash(keys)])
        wanted = keys[maybe]
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        known = self.keys[place] == wanted
        return maybe[known], place[known].astype(np.int32)

    def _hash(self, keys: NDArray[Any]) -> NDArray[np.uint64]:
        # Fibonacci hashing: the upper bits of a product with 2^64 / golden ratio.
        return (keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> self._shift


class Growing:
    """An array that is added to in place: large ones are moved by the system, not copied, and never held twice."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self.array: NDArray[Any] = np.empty(0, dtype)

    def append(self, values: NDArray[Any]) -> None:
        """Add values; whole numbers that need more bytes than those before widen them all."""
        if self.array.dtype.kind == "u":
            needed = np.promote_types(self.array.dtype, np.min_scalar_type(values.max(initial=0)))
            self.array = self.array.astype(needed, copy=False)
        size = len(self.array)
        self.array.resize(size + len(values), refcheck=False)
        self.array[size:] = values


def stacked(parts: Iterable[Matrix], columns: int) -> Matrix:
    """Matrices of as many columns below one another."""
    indices: list[Integers] = [np.empty(0, np.int32)]
    values: list[NDArray[Any]] = [np.empty(0, np.float32)]
    lengths: list[Integers] = [np.zeros(1, np.int64)]
    for part in parts:
        indices.append(part.indices.astype(np.int32, copy=False))
        values.append(part.data)
        lengths.append(np.diff(part.indptr))
    starts = np.cumsum(np.concatenate(lengths), dtype=np.int64)
    starts = starts.astype(np.int32) if starts[-1] < np.iinfo(np.int32).max else starts
    data = np.concatenate(values)
    del values, parts
    return sparse.csr_array((data, np.concatenate(indices), starts), shape=(len(starts) - 1, columns))


def matrix_of(rows: Integers, columns: Integers, values: NDArray[Any], shape: tuple[int, int]) -> Matrix:
    """A matrix of float32 with sorted indices; values in the same cell add up."""
    cells = (rows.astype(np.int32, copy=False), columns.astype(np.int32, copy=False))
    return sparse.csr_array(sparse.coo_array((values.astype(np.float32, copy=False), cells), shape=shape))


def idf(counts: Matrix) -> NDArray[np.float32]:
    """IDF of each column, see `idf_of`."""
    return idf_of(np.bincount(counts.indices, minlength=counts.shape[1]), counts.shape[0])


def idf_of(containing: Integers, texts: int | Integers) -> NDArray[np.float32]:
    """Lucene's BM25 IDF: ln(1 + (N - n + 0.5) / (n + 0.5)), never negative."""
    weights: NDArray[np.float32] = np.log1p((texts - containing + 0.5) / (containing + 0.5)).astype(np.float32)
    return weights


def rarest_idf(texts: int) -> float:
    """IDF of a word that one of so many texts contains."""
    return math.log1p((texts - 0.5) / 1.5) if texts else 0.0


def binary(counts: Matrix) -> Matrix:
    """1 where something is counted."""
    ones = counts.copy()
    ones.data = np.ones_like(ones.data)
    return ones


def scaled(matrix: Matrix, divisors: NDArray[Any]) -> Matrix:
    """Each row divided by its divisor; rows whose divisor is 0 stay as they are."""
    factors = 1 / np.where(divisors > 0, divisors, 1)
    return sparse.csr_array(matrix.multiply(np.asarray(factors, np.float32)[:, None]))


def pairs_of(matrix: Any, rows: Integers | None = None) -> tuple[Integers, Integers]:
    """Row and column of every cell that is held; of the rows `rows[i]` alone, then as row i, where they are given."""
    part = matrix if rows is None else matrix[rows]
    row = np.repeat(np.arange(part.shape[0], dtype=np.int64), np.diff(part.indptr))
    return row, part.indices.astype(np.int64)


def cells(matrix: Matrix, rows: Integers, places: Places) -> Scores:
    """Cells `places[i]` of the matrix rows `rows[i]`; 0 where the place is -1."""
    part = sparse.csr_array(matrix[rows])
    row = np.repeat(np.arange(len(rows), dtype=np.int64), np.diff(part.indptr))
    keys = row * matrix.shape[1] + part.indices
    if not len(keys):
        return np.zeros(places.shape, np.float32)
    wanted = np.arange(len(rows), dtype=np.int64)[:, None] * matrix.shape[1] + places
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = (keys[place] == wanted) & (places >= 0)
    return np.where(found, part.data[place], 0).astype(np.float32)
