"""Texts as sparse matrices: rows of token numbers, n-grams, BM25 and IDF weights."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.tokens import squash

Matrix: TypeAlias = sparse.csr_array[Any, tuple[int, int]]
Scores: TypeAlias = NDArray[np.float32]
"""Dense scores, (images of a block, texts)."""

Integers: TypeAlias = NDArray[Any]

# A word that 1 in 100 passages uses, or the rarest word of a small corpus, is worth full marks. Without a floor Top-1
# would be the same, but images that belong nowhere would score like those that belong.
ENOUGH_BM25, ENOUGH_OF_RAREST = 8.0, 1.4
K1 = 1.2
"""BM25's saturation of repeated words; measured together with the b of each field."""


@dataclass(frozen=True)
class Rows:
    """Numbers of many texts behind one another: `keys`, and for each the text it belongs to."""

    keys: NDArray[np.int64]
    row: NDArray[np.int64]
    count: int
    """Number of texts."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> "Rows":
        """From the token numbers of each text."""
        lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
        keys = np.fromiter((key for text in texts for key in text), np.int64, int(lengths.sum()))
        return cls(keys, np.repeat(np.arange(len(texts)), lengths), len(texts))

    @classmethod
    def of_characters(cls, texts: Iterable[str]) -> "Rows":
        """From the code points of each squashed text."""
        squashed = [squash(text) for text in texts]
        lengths = np.fromiter((len(text) for text in squashed), np.int64, len(squashed))
        codes = np.frombuffer("".join(squashed).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
        return cls(codes, np.repeat(np.arange(len(squashed)), lengths), len(squashed))

    def pairs(self) -> "Rows":
        """Neighbouring numbers of each text as one number; numbers must be below 2^31."""
        inside = self.row[1:] == self.row[:-1]
        return Rows((self.keys[:-1] << 31 | self.keys[1:])[inside], self.row[1:][inside], self.count)

    def triples(self) -> "Rows":
        """Three neighbours of each text as one number; numbers must be below 2^21, as code points are."""
        inside = self.row[2:] == self.row[:-2]
        keys = self.keys[:-2] << 42 | self.keys[1:-1] << 21 | self.keys[2:]
        return Rows(keys[inside], self.row[2:][inside], self.count)

    def regroup(self, group: NDArray[np.int64], count: int) -> "Rows":
        """The same numbers with text i now part of text `group[i]`."""
        return Rows(self.keys, group[self.row], count)

    def matrix(self, columns: NDArray[np.int64]) -> Matrix:
        """How often each of the sorted, distinct `columns` occurs in each text: (texts, columns)."""
        if not len(columns):
            return matrix_of(np.empty(0), np.empty(0), np.empty(0), (self.count, 0))
        place = np.minimum(np.searchsorted(columns, self.keys), len(columns) - 1)
        known = columns[place] == self.keys
        return matrix_of(self.row[known], place[known], np.ones(int(known.sum())), (self.count, len(columns)))


def matrix_of(rows: Integers, columns: Integers, values: NDArray[Any], shape: tuple[int, int]) -> Matrix:
    """A matrix of float32; values in the same cell add up."""
    cells = (rows.astype(np.int64), columns.astype(np.int64))
    return sparse.csr_array(sparse.coo_array((values.astype(np.float32), cells), shape=shape))


def idf(counts: Matrix) -> NDArray[np.float32]:
    """Lucene's BM25 IDF of each column: ln(1 + (N - n + 0.5) / (n + 0.5)), never negative."""
    containing = np.bincount(counts.indices, minlength=counts.shape[1])
    weights: NDArray[np.float32] = np.log1p((counts.shape[0] - containing + 0.5) / (containing + 0.5)).astype(
        np.float32
    )
    return weights


def rarest_idf(texts: int) -> float:
    """IDF of a word that one of so many texts contains."""
    return math.log1p((texts - 0.5) / 1.5) if texts else 0.0


class Bm25:
    """BM25 of queries on one field of texts; only the columns that some query uses are indexed."""

    def __init__(self, queries: Rows, texts: Rows, b: float) -> None:
        """`b` is how much long texts are held back, 0-1."""
        columns = np.unique(queries.keys)
        self._queries = queries.matrix(columns)
        self._queries.data = 1 + np.log(self._queries.data)
        counts = texts.matrix(columns)
        lengths = np.bincount(texts.row, minlength=texts.count).astype(np.float32)
        norm = K1 * (1 - b + b * lengths / max(float(lengths.mean()) if texts.count else 0.0, 1.0))
        tf = counts.data
        of_text = np.repeat(norm, np.diff(counts.indptr))
        weighted = counts.copy()
        weighted.data = (tf * (K1 + 1) / (tf + of_text) * idf(counts)[counts.indices]).astype(np.float32)
        self._texts = sparse.csr_array(weighted.T)
        self.enough = min(ENOUGH_BM25, ENOUGH_OF_RAREST * rarest_idf(texts.count))
        """What the best text of an image needs for full marks."""

    def scores(self, queries: slice) -> Scores:
        """Scores of a block of queries on all texts, (block, texts)."""
        return dense(self._queries[queries] @ self._texts)


class IdfShare:
    """What share of a query's distinct n-grams, by IDF weight, each text contains."""

    def __init__(self, queries: Rows, texts: Rows) -> None:
        columns = np.unique(queries.keys)
        contained = binary(texts.matrix(columns))
        asked = binary(queries.matrix(columns))
        asked = sparse.csr_array(asked.multiply(idf(contained)[None, :]))
        self._queries = scaled(asked, np.asarray(asked.sum(axis=1)))
        self._texts = sparse.csr_array(contained.T)

    def scores(self, queries: slice) -> Scores:
        """Shares, 0-1, of a block of queries, (block, texts)."""
        return dense(self._queries[queries] @ self._texts)


class IdfCosine:
    """Cosine of the IDF-weighted n-grams of queries and texts."""

    def __init__(self, queries: Rows, texts: Rows) -> None:
        columns = np.unique(np.concatenate([queries.keys, texts.keys]))
        counted = binary(texts.matrix(columns))
        weights = idf(counted)[None, :]
        texts_weighted = sparse.csr_array(counted.multiply(weights))
        asked = sparse.csr_array(binary(queries.matrix(columns)).multiply(weights))
        self._texts = sparse.csr_array(scaled(texts_weighted, _lengths(texts_weighted)).T)
        self._queries = scaled(asked, _lengths(asked))

    def scores(self, queries: slice) -> Scores:
        """Cosines, 0-1, of a block of queries, (block, texts)."""
        return dense(self._queries[queries] @ self._texts)


def binary(counts: Matrix) -> Matrix:
    """1 where something is counted."""
    ones = counts.copy()
    ones.data = np.ones_like(ones.data)
    return ones


def scaled(matrix: Matrix, divisors: NDArray[Any]) -> Matrix:
    """Each row divided by its divisor; rows whose divisor is 0 stay as they are."""
    factors = 1 / np.where(divisors > 0, divisors, 1)
    return sparse.csr_array(matrix.multiply(np.asarray(factors, np.float32)[:, None]))


def dense(matrix: Matrix) -> Scores:
    """A dense float32 copy."""
    return np.asarray(matrix.toarray(), np.float32)


def relative(scores: Scores, floor: float) -> Scores:
    """Each row divided by its largest value or by `floor`, whichever is more.

    1 for the best text of an image where the evidence is worth its name: an image of which little is known must not
    get the same full marks as one whose words are found.
    """
    best = np.maximum(scores.max(axis=1, keepdims=True, initial=0), floor)
    return np.asarray(scores / best, np.float32)


def _lengths(matrix: Matrix) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(matrix.multiply(matrix).sum(axis=1)), np.float32)
