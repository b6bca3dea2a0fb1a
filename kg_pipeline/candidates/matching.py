"""Queries matched with texts, field by field: the best texts of a query, and scores of chosen pairs.

All of them are products of two sparse matrices, never computed as a whole.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.sparse import (
    BATCH,
    Columns,
    Growing,
    Integers,
    Matrix,
    Places,
    Rows,
    Scores,
    binary,
    idf,
    idf_of,
    matrix_of,
    rarest_idf,
    scaled,
)
from kg_pipeline.images.workers import default_workers

Side: TypeAlias = tuple[NDArray[np.int64], Integers, NDArray[np.float32]]
"""indptr, indices and data of a CSR matrix, as kernels take it."""

# A word that 1 in 100 passages uses, or the rarest word of a small corpus, is worth full marks. Without a floor Top-1
# would be the same, but images that belong nowhere would score like those that belong.
ENOUGH_BM25, ENOUGH_OF_RAREST = 8.0, 1.4
K1 = 1.2
"""BM25's saturation of repeated words; measured together with the b of each field."""
COMMON_SHARE, COMMON = 0.01, 1_000
"""A key in more than this share of the texts, and in more than so many, is not searched by, unless rarer ones lack."""
RAREST = 4
"""So many rarest keys of a query are searched by, however common."""


class Kernel(Protocol):
    """Writes the scores of some queries on the texts `places` into `result`, (queries, places)."""

    def __call__(self, rows: Integers, places: Places, result: Scores, /) -> None:
        """See Field.scores."""
        ...


class Field:
    """Weighted queries on weighted texts."""

    def __init__(self, queries: Matrix, texts: Matrix) -> None:
        """(queries, columns) and (texts, columns); indices sorted."""
        self._queries, self._texts = queries, texts
        self._sides = side(queries), side(texts)
        self._index: tuple[Any, Any] | None = None

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Scores of query `rows[i]` on the texts `places[i]`; 0 where the place is -1."""
        from kg_pipeline.candidates.kernels import pair_products

        columns = self._queries.shape[1]
        query, text = self._sides
        return _in_threads(partial(pair_products, columns, query, text), rows, places, columns)

    def best(self, rows: Integers, count: int) -> Matrix:
        """The `count` best texts of each query, by the keys that are not too common: (rows, texts)."""
        if self._index is None:
            texts = self._texts
            asked = rare_keys(self._queries, np.bincount(texts.indices, minlength=texts.shape[1]), texts.shape[0])
            self._index = sparse.csr_matrix(asked), sparse.csr_matrix(_postings(texts, keys_of(asked)))
        queries, postings = self._index
        return _best(queries, postings, rows, count)


class TextIndex:
    """How often texts use the columns that some query uses, and BM25 from that: 5 bytes per text and word."""

    def __init__(self, texts: Iterable[Rows], columns: Columns, b: float) -> None:
        """`texts` batch by batch; `b` is how much long texts are held back, 0-1."""
        self.columns = columns
        held, counts, lengths = Growing(np.int32), Growing(np.uint8), Growing(np.int64)
        lengths.append(np.zeros(1, np.int64))
        sizes = [np.empty(0, np.float32)]
        self.containing = np.zeros(len(columns.keys), np.int64)
        """How many texts use each column."""
        for batch in texts:
            counted = batch.counted(columns)
            self.containing += np.bincount(counted.indices, minlength=len(columns.keys))
            held.append(counted.indices)
            counts.append(counted.data.astype(np.uint32))
            lengths.append(np.diff(counted.indptr))
            sizes.append(batch.lengths.astype(np.float32))
        self._starts = np.cumsum(lengths.array, dtype=np.int64)
        self._held, self._counts = held.array, counts.array
        size = np.concatenate(sizes)
        self._weights = idf_of(self.containing, len(size))
        mean = max(float(size.mean()) if len(size) else 0.0, 1.0)
        self._norm = K1 * (1 - b + b * size / mean)

    @property
    def count(self) -> int:
        """Number of texts."""
        return len(self._norm)

    @property
    def side(self) -> tuple[Any, ...]:
        """As kernels take it: starts, columns, counts, norm of each text, IDF of each column."""
        return self._starts, self._held, self._counts, self._norm, self._weights

    def postings(self, wanted: NDArray[np.bool_]) -> Matrix:
        """What each of the wanted columns adds to the BM25 of each text: (columns, texts)."""
        from kg_pipeline.candidates.kernels import bm25_postings

        ends = np.cumsum(np.where(wanted, self.containing, 0), dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends])
        texts, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
        bm25_postings(self.side, wanted, starts[:-1].copy(), texts, values)
        starts = starts.astype(np.int32) if starts[-1] < np.iinfo(np.int32).max else starts
        return sparse.csr_array((values, texts, starts), shape=(len(wanted), self.count))


class Bm25Texts:
    """Texts in which several sets of queries are looked up; what is kept to search them is kept once for all."""

    def __init__(self, queries: Iterable[Rows], texts: Iterable[Rows], b: float) -> None:
        """Of `texts`, batch by batch, the columns that a query uses; see TextIndex."""
        self.index = TextIndex(texts, Columns(*queries), b)
        self._searched_by = np.zeros(len(self.index.columns.keys), np.bool_)

    def search_by(self, keys: NDArray[np.bool_]) -> None:
        """To be said before the first search."""
        self._searched_by |= keys

    @cached_property
    def postings(self) -> Any:
        """See TextIndex.postings."""
        return sparse.csr_matrix(self.index.postings(self._searched_by))  # sparse_dot_topn knows no arrays


class Bm25:
    """BM25 of queries on one field of texts."""

    def __init__(self, queries: Rows, texts: Bm25Texts) -> None:
        """`queries` are among those that `texts` are there for."""
        index = texts.index
        asked = queries.matrix(index.columns)
        asked.data = 1 + np.log(asked.data)
        self.queries, self.texts = side(asked), texts
        self._rare = sparse.csr_matrix(rare_keys(asked, index.containing, index.count))
        texts.search_by(keys_of(self._rare))
        self.enough = min(ENOUGH_BM25, ENOUGH_OF_RAREST * rarest_idf(index.count))
        """What the best text of an image needs for full marks."""

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Scores of query `rows[i]` on the texts `places[i]`; 0 where the place is -1."""
        from kg_pipeline.candidates.kernels import bm25_products

        index = self.texts.index
        return _in_threads(partial(bm25_products, self.queries, index.side), rows, places, len(index.columns.keys))

    def best(self, rows: Integers, count: int) -> Matrix:
        """The `count` best texts of each query, by the keys that are not too common: (rows, texts)."""
        return _best(self._rare, self.texts.postings, rows, count)


class WithinGroups:
    """A BM25 field once more, a word's rarity being that among the texts of its group.

    In a document on wheels "wheel" tells its passages apart from other documents, but not from one another.
    """

    def __init__(self, field: Bm25, group: Integers) -> None:
        """`group`: of each text, ascending."""
        starts, words, counts, norm, everywhere = field.texts.index.side
        columns = len(everywhere)
        data = np.empty(len(words), np.float32)
        sizes = np.bincount(group)
        ends = starts[np.searchsorted(group, np.arange(len(sizes)), "right")]
        cuts = np.unique(
            np.concatenate([[0], ends[np.searchsorted(ends, np.arange(BATCH, len(data), BATCH))], ends[-1:]])
        )
        for start, end in pairwise(cuts.tolist()):
            of_text = np.searchsorted(starts, np.arange(start, end), "right") - 1
            word, count = words[start:end], counts[start:end].astype(np.float32)
            keys = group[of_text].astype(np.int64) * columns + word
            _, place, containing = np.unique(keys, return_inverse=True, return_counts=True)
            rarity = idf_of(containing[place.reshape(-1)], sizes[group[of_text]])
            score = count * (K1 + 1) / (count + norm[of_text]) * everywhere[word]
            data[start:end] = score / everywhere[word] * rarity
        self._columns, self._queries, self._texts = columns, field.queries, (starts, words, data)

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Scores of query `rows[i]` on the texts `places[i]`; 0 where the place is -1."""
        from kg_pipeline.candidates.kernels import pair_products

        columns = self._columns
        return _in_threads(partial(pair_products, columns, self._queries, self._texts), rows, places, columns)


class IdfShare:
    """What share of a query's distinct n-grams, by IDF weight, each text contains."""

    def __init__(self, queries: Rows, texts: Iterable[Rows]) -> None:
        """`texts` batch by batch: of characters there are too many to be held at once."""
        from kg_pipeline.candidates.kernels import packed

        columns = Columns(queries)
        count = len(columns.keys)
        # Only which n-grams a text has, as distances of a byte each: they are hundreds in every passage.
        held, lengths = Growing(np.uint8), Growing(np.int64)
        lengths.append(np.zeros(1, np.int64))
        containing = np.zeros(count, np.int64)
        for batch in texts:
            contained = batch.counted(columns)
            distances, sizes = packed(contained.indptr, contained.indices)
            held.append(distances)
            lengths.append(sizes)
            containing += np.bincount(contained.indices, minlength=count)
        self._texts = np.cumsum(lengths.array, dtype=np.int64), held.array
        weights = idf_of(containing, len(lengths.array) - 1)
        asked = sparse.csr_array(binary(queries.matrix(columns)).multiply(weights[None, :]))
        self._queries, self._columns = side(scaled(asked, np.asarray(asked.sum(axis=1)))), count

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Shares, 0-1, of query `rows[i]` in the texts `places[i]`; 0 where the place is -1."""
        from kg_pipeline.candidates.kernels import pair_shares

        columns = self._columns
        query, (starts, held) = self._queries, self._texts
        return _in_threads(partial(pair_shares, columns, query, starts, held), rows, places, columns)


class IdfCosine(Field):
    """Cosine of the IDF-weighted n-grams of queries and texts."""

    def __init__(self, queries: Rows, texts: Rows) -> None:
        columns = Columns(queries, texts)
        counted = binary(texts.matrix(columns))
        weights = idf(counted)[None, :]
        texts_weighted = sparse.csr_array(counted.multiply(weights))
        asked = sparse.csr_array(binary(queries.matrix(columns)).multiply(weights))
        super().__init__(scaled(asked, _lengths(asked)), scaled(texts_weighted, _lengths(texts_weighted)))


def rare_keys(queries: Matrix, containing: Integers, texts: int) -> Matrix:
    """Queries without their common keys.

    A key in 1 of 100 texts costs as much to follow as a hundred rare ones and tells next to nothing; the scores of the
    texts that are found count all keys. `containing` says how many of the texts have each key.
    """
    # Order within each query by how many texts have the key.
    row = np.repeat(np.arange(queries.shape[0]), np.diff(queries.indptr))
    order = np.lexsort((containing[queries.indices], row))
    nth = np.empty(len(order), np.int64)
    nth[order] = np.arange(len(order)) - np.repeat(queries.indptr[:-1], np.diff(queries.indptr))
    rare = containing[queries.indices] <= max(COMMON, COMMON_SHARE * texts)
    keep = (rare | (nth < RAREST)) & (containing[queries.indices] > 0)
    return matrix_of(row[keep], queries.indices[keep], queries.data[keep], queries.shape)


def keys_of(queries: Any) -> NDArray[np.bool_]:
    """For each column whether a query uses it."""
    used = np.zeros(queries.shape[1], np.bool_)
    used[queries.indices] = True
    return used


def side(matrix: Matrix) -> Side:
    """A matrix as kernels take it."""
    return matrix.indptr.astype(np.int64), matrix.indices, matrix.data


def _postings(texts: Matrix, wanted: NDArray[np.bool_]) -> Matrix:
    text = np.repeat(np.arange(texts.shape[0], dtype=np.int32), np.diff(texts.indptr))
    mine = wanted[texts.indices]
    return matrix_of(texts.indices[mine], text[mine], texts.data[mine], (texts.shape[1], texts.shape[0]))


def _best(queries: Any, postings: Any, rows: Integers, count: int) -> Matrix:
    from sparse_dot_topn import sp_matmul_topn

    found = sp_matmul_topn(queries[rows], postings, count, threshold=0.0, n_threads=default_workers())
    return sparse.csr_array(found)


def _in_threads(kernel: Kernel, rows: Integers, places: Places, columns: int) -> Scores:
    """Scores by a kernel, the queries shared among threads; 0 where there are no columns."""
    result = np.zeros(places.shape, np.float32)
    if not result.size or not columns:
        return result
    rows, places = rows.astype(np.int64), np.ascontiguousarray(places)
    size = max(1, -(-len(rows) // default_workers()))
    parts = [slice(start, start + size) for start in range(0, len(rows), size)]
    with ThreadPoolExecutor(len(parts)) as threads:
        list(threads.map(lambda at: kernel(rows[at], places[at], result[at]), parts))
    return result


def _lengths(matrix: Matrix) -> NDArray[np.float32]:
    return np.asarray(np.sqrt(matrix.multiply(matrix).sum(axis=1)), np.float32)
