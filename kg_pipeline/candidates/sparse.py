"""Texts as sparse matrices: rows of token numbers, n-grams, BM25 and IDF weights; best texts and scores of pairs."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.tokens import squash
from kg_pipeline.images.workers import default_workers

Matrix: TypeAlias = sparse.csr_array[Any, tuple[int, int]]
Scores: TypeAlias = NDArray[np.float32]
"""Scores of pictures on the texts that are looked at for each, (pictures, places)."""
Places: TypeAlias = NDArray[np.int32]
"""Rows of the texts that are looked at for each picture, ascending, (pictures, places); -1 where there are fewer."""
Integers: TypeAlias = NDArray[Any]
Side: TypeAlias = tuple[NDArray[np.int64], Integers, NDArray[np.float32]]
"""indptr, indices and data of a CSR matrix, as kernels take it; without data it holds ones."""

# A word that 1 in 100 passages uses, or the rarest word of a small corpus, is worth full marks. Without a floor Top-1
# would be the same, but images that belong nowhere would score like those that belong.
ENOUGH_BM25, ENOUGH_OF_RAREST = 8.0, 1.4
K1 = 1.2
"""BM25's saturation of repeated words; measured together with the b of each field."""
BATCH = 4_000_000
"""Keys worked on at once, some ten arrays of 8 bytes each."""
COMMON_SHARE, COMMON = 0.01, 1_000
"""A key in more than this share of the texts, and in more than so many, is not searched by, unless rarer ones lack."""
RAREST = 4
"""So many rarest keys of a query are searched by, however common."""


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
    cells = (rows.astype(np.int32), columns.astype(np.int32))
    return sparse.csr_array(sparse.coo_array((values.astype(np.float32), cells), shape=shape))


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


class Field:
    """What queries and texts have in common: a product of two sparse matrices, never computed as a whole."""

    def __init__(self, queries: Matrix, texts: Matrix) -> None:
        """(queries, columns) and (texts, columns), weighted; indices sorted."""
        self.queries, self.texts = queries, texts
        self._sides = _side(queries), _side(texts)
        self._index: tuple[Any, Any] | None = None

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Scores of query `rows[i]` on the texts `places[i]`; 0 where the place is -1."""
        return _products(*self._sides, self.queries.shape[1], rows, places)

    def best(self, rows: Integers, count: int) -> Matrix:
        """The `count` best texts of each query, by the keys that are not too common: (rows, texts)."""
        from sparse_dot_topn import sp_matmul_topn

        if self._index is None:
            self._index = _index(self.queries, self.texts)
        queries, texts = self._index
        found = sp_matmul_topn(queries[rows], texts, count, threshold=0.0, n_threads=default_workers())
        return sparse.csr_array(found)


def _side(matrix: Matrix) -> Side:
    return matrix.indptr.astype(np.int64), matrix.indices, matrix.data


def _products(query: Side, text: Side, columns: int, rows: Integers, places: Places) -> Scores:
    from kg_pipeline.candidates.kernels import pair_products

    result = np.zeros(places.shape, np.float32)
    if not result.size or not columns:
        return result
    rows, places = rows.astype(np.int64), np.ascontiguousarray(places)
    size = max(1, -(-len(rows) // default_workers()))
    parts = [slice(start, start + size) for start in range(0, len(rows), size)]
    with ThreadPoolExecutor(len(parts)) as threads:
        list(threads.map(lambda at: pair_products(query, text, rows[at], places[at], result[at], columns), parts))
    return result


def _index(queries: Matrix, texts: Matrix) -> tuple[Any, Any]:
    """Queries without their common keys, and the texts of each key: (queries, keys), (keys, texts).

    A key in 1 of 100 texts costs as much to follow as a hundred rare ones and tells next to nothing; the scores of the
    texts that are found count all keys.
    """
    containing = np.bincount(texts.indices, minlength=texts.shape[1])
    # Order within each query by how many texts have the key.
    row = np.repeat(np.arange(queries.shape[0]), np.diff(queries.indptr))
    order = np.lexsort((containing[queries.indices], row))
    nth = np.empty(len(order), np.int64)
    nth[order] = np.arange(len(order)) - np.repeat(queries.indptr[:-1], np.diff(queries.indptr))
    rare = containing[queries.indices] <= max(COMMON, COMMON_SHARE * texts.shape[0])
    keep = (rare | (nth < RAREST)) & (containing[queries.indices] > 0)
    asked = matrix_of(row[keep], queries.indices[keep], queries.data[keep], queries.shape)
    used = np.zeros(texts.shape[1], np.bool_)
    used[asked.indices] = True
    text = np.repeat(np.arange(texts.shape[0], dtype=np.int32), np.diff(texts.indptr))
    mine = used[texts.indices]
    postings = matrix_of(texts.indices[mine], text[mine], texts.data[mine], (texts.shape[1], texts.shape[0]))
    return sparse.csr_matrix(asked), sparse.csr_matrix(postings)  # sparse_dot_topn knows no arrays


def bm25_weights(texts: Iterable[Rows], columns: Columns, b: float) -> tuple[Matrix, int]:
    """What each word adds to the BM25 of each text, (texts, columns), and the number of texts; see Bm25."""
    counts, sizes = [], [np.empty(0, np.float32)]
    for batch in texts:
        counts.append(batch.counted(columns))
        sizes.append(batch.lengths.astype(np.float32))
    weighted, lengths = stacked(counts, len(columns.keys)), np.concatenate(sizes)
    del counts
    weights = idf(weighted)
    norm = K1 * (1 - b + b * lengths / max(float(lengths.mean()) if len(lengths) else 0.0, 1.0))
    for start in range(0, len(weighted.data), BATCH):
        cells = slice(start, start + BATCH)
        tf = weighted.data[cells]
        text = np.searchsorted(weighted.indptr, np.arange(start, start + len(tf)), "right") - 1
        weighted.data[cells] = tf * (K1 + 1) / (tf + norm[text]) * weights[weighted.indices[cells]]
    return weighted, len(lengths)


class Bm25(Field):
    """BM25 of queries on one field of texts; only the columns that some query uses are indexed."""

    def __init__(self, queries: Rows, texts: Iterable[Rows], b: float) -> None:
        """`texts` batch by batch; `b` is how much long texts are held back, 0-1."""
        columns = Columns(queries)
        asked = queries.matrix(columns)
        asked.data = 1 + np.log(asked.data)
        weighted, count = bm25_weights(texts, columns, b)
        super().__init__(asked, weighted)
        self.rarity = idf(weighted)
        """IDF of each word."""
        self.enough = min(ENOUGH_BM25, ENOUGH_OF_RAREST * rarest_idf(count))
        """What the best text of an image needs for full marks."""


class WithinGroups:
    """A BM25 field once more, a word's rarity being that among the texts of its group.

    In a document on wheels "wheel" tells its passages apart from other documents, but not from one another.
    """

    def __init__(self, field: Bm25, group: Integers) -> None:
        """`group`: of each text, ascending."""
        everywhere, texts = field.rarity, field.texts
        data = np.empty_like(texts.data)
        sizes = np.bincount(group)
        ends = texts.indptr[np.searchsorted(group, np.arange(len(sizes)), "right")]
        cuts = np.unique(
            np.concatenate([[0], ends[np.searchsorted(ends, np.arange(BATCH, len(data), BATCH))], ends[-1:]])
        )
        for start, end in pairwise(cuts.tolist()):
            of_text = np.searchsorted(texts.indptr, np.arange(start, end), "right") - 1
            word = texts.indices[start:end]
            keys = group[of_text].astype(np.int64) * texts.shape[1] + word
            _, place, containing = np.unique(keys, return_inverse=True, return_counts=True)
            rarity = idf_of(containing[place.reshape(-1)], sizes[group[of_text]])
            data[start:end] = texts.data[start:end] / everywhere[word] * rarity
        self._columns = texts.shape[1]
        self._sides = _side(field.queries), (texts.indptr.astype(np.int64), texts.indices, data)

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Scores of query `rows[i]` on the texts `places[i]`; 0 where the place is -1."""
        return _products(*self._sides, self._columns, rows, places)


class IdfShare:
    """What share of a query's distinct n-grams, by IDF weight, each text contains."""

    def __init__(self, queries: Rows, texts: Iterable[Rows]) -> None:
        """`texts` batch by batch: of characters there are too many to be held at once."""
        columns = Columns(queries)
        count = len(columns.keys)
        narrow = np.uint16 if count <= np.iinfo(np.uint16).max else np.int32
        indices: list[Integers] = [np.empty(0, narrow)]
        lengths: list[Integers] = [np.zeros(1, np.int64)]
        for batch in texts:
            contained = batch.matrix(columns)
            indices.append(contained.indices.astype(narrow))
            lengths.append(np.diff(contained.indptr))
        starts, held = np.cumsum(np.concatenate(lengths), dtype=np.int64), np.concatenate(indices)
        # Only which n-grams a text has, without values: they are hundreds in every passage.
        self._texts = (starts, held, np.empty(0, np.float32))
        weights = idf_of(np.bincount(held, minlength=count), len(starts) - 1)
        asked = sparse.csr_array(binary(queries.matrix(columns)).multiply(weights[None, :]))
        self._queries = scaled(asked, np.asarray(asked.sum(axis=1)))

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Shares, 0-1, of query `rows[i]` in the texts `places[i]`; 0 where the place is -1."""
        return _products(_side(self._queries), self._texts, self._queries.shape[1], rows, places)


class IdfCosine(Field):
    """Cosine of the IDF-weighted n-grams of queries and texts."""

    def __init__(self, queries: Rows, texts: Rows) -> None:
        columns = Columns(queries, texts)
        counted = binary(texts.matrix(columns))
        weights = idf(counted)[None, :]
        texts_weighted = sparse.csr_array(counted.multiply(weights))
        asked = sparse.csr_array(binary(queries.matrix(columns)).multiply(weights))
        super().__init__(scaled(asked, _lengths(asked)), scaled(texts_weighted, _lengths(texts_weighted)))


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


def _lengths(matrix: Matrix) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(matrix.multiply(matrix).sum(axis=1)), np.float32)
