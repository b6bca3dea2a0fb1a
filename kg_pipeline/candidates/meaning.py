"""What vectors say: how near the words of a picture are to a passage, by the collection's embedding model."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.sparse import Integers, Places, Scores

EXACT = 100_000
"""Passages up to which every picture is compared with every one; beyond, usearch's HNSW graph is searched."""
CELLS = 20_000_000
"""Cosines held at once: 80 MB."""
Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Meaning:
    """Vectors of length 1 of pictures and passages, by row of the corpus's fields; zeros for those without one."""

    pictures: Vectors
    passages: Vectors

    @cached_property
    def is_known(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self.pictures.any() and self.passages.any())

    @cached_property
    def _usual(self) -> Vectors:
        """Cosine of each picture with the mean of all passages: models give unrelated texts 0.3 to 0.7, not 0."""
        count = max(1, int(self.passages.any(axis=1).sum()))
        return np.asarray(self.pictures @ (self.passages.sum(axis=0) / count), np.float32)

    def scores(self, rows: Integers, places: Places) -> Scores:
        """Cosines above the picture's usual one, at least 0, of the passages that are looked at for each picture."""
        found = np.zeros(places.shape, np.float32)
        if not self.is_known:
            return found
        # A picture at a time: its passages' vectors are as large as all its other scores together.
        for nth, (row, mine) in enumerate(zip(rows.tolist(), places, strict=True)):
            found[nth] = self.passages[mine] @ self.pictures[row]
        return np.asarray(np.maximum(found - self._usual[rows][:, None], 0) * (places >= 0), np.float32)

    def best(self, rows: Integers, count: int) -> tuple[Integers, Integers]:
        """The `count` nearest passages of each picture that has a vector: pairs of place in `rows` and passage."""
        known = np.flatnonzero(self.pictures[rows].any(axis=1))
        count = min(count, len(self.passages))
        parts = list(self._nearest(rows[known], count))
        nearest = np.concatenate(parts) if parts else np.empty((0, count), np.int64)
        return np.repeat(known, count), nearest.ravel()

    def _nearest(self, rows: Integers, count: int) -> Iterator[NDArray[np.int64]]:
        step = max(1, CELLS // max(1, len(self.passages)))
        for start in range(0, len(rows), step):
            pictures = self.pictures[rows[start : start + step]]
            if len(self.passages) > EXACT:
                # Of fewer than asked for, usearch leaves the rest out; those come first again.
                found = np.asarray(self._index.search(pictures, count, threads=1).keys, np.int64)
                yield np.where(found < len(self.passages), found, found[:, :1])
            else:
                cosines = pictures @ self.passages.T
                yield np.argpartition(-cosines, count - 1, axis=1)[:, :count].astype(np.int64)

    @cached_property
    def _index(self) -> Any:
        from usearch.index import Index

        index = Index(ndim=self.passages.shape[1], metric="ip", dtype="f16")
        # By one thread: by several the graph, and with it what is found, differs from run to run.
        index.add(np.arange(len(self.passages)), self.passages, threads=1)
        return index


def meaning(embeddings: pl.DataFrame, queries: pl.Series, texts: pl.Series) -> Meaning:
    """Vectors of table `embeddings` for the text_sha256 of each picture's words and of each passage."""
    known = embeddings.filter(pl.col("vector").is_not_null()).sort("text_sha256")
    length = int(known["vector"].list.len().max() or 1)  # type: ignore[arg-type]
    stored = known["vector"].list.to_array(length).to_numpy() if len(known) else np.empty((0, length), np.float32)
    vectors = np.vstack([stored, np.zeros((1, length), np.float32)])
    return Meaning(vectors[_places(known, queries)], vectors[_places(known, texts)])


def _places(known: pl.DataFrame, hashes: pl.Series) -> NDArray[np.int64]:
    """Row of each hash in `known`, the one after the last for those that are not there."""
    rows = known.select("text_sha256").with_row_index("place")
    found = hashes.rename("text_sha256").to_frame().join(rows, on="text_sha256", how="left", maintain_order="left")
    return found["place"].fill_null(len(known)).cast(pl.Int64).to_numpy()
