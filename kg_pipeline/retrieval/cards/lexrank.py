"""The sentences that say most of what a text says: LexRank, also about a topic.

Erkan and Radev, LexRank: Graph-based Lexical Centrality as Salience in Text Summarization, JAIR 22 (2004), the
continuous form; with a topic Otterbacher, Erkan and Radev, Using Random Walks for Question-focused Sentence Retrieval,
HLT/EMNLP 2005.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.reading import read_texts
from kg_pipeline.candidates.sparse import Columns, Matrix, Rows, binary, idf_of, matrix_of, scaled
from kg_pipeline.candidates.tokens import Vocabulary

JUMP, TOPIC_JUMP = 0.15, 0.7
"""Chance to leave the walk: to any sentence alike, or to one near the topic (both as in the papers)."""
SAME = 0.5
"""A sentence with this cosine to a chosen one says nothing new (Erkan and Radev, section 5)."""
LONGEST_POOL = 1_000
"""Sentences that are compared with one another; a million cosines take a tenth of a second."""
STEPS, CLOSE = 200, 1e-9


class Summariser:
    """Chooses sentences; the weights of words come from all passages of the collection."""

    def __init__(self, passages: pl.Series) -> None:
        self._vocabulary = Vocabulary()
        rows = read_texts(self._vocabulary, passages, learn=False)
        columns = self._columns()
        counts = binary(rows.matrix(columns))
        self._weights = idf_of(np.bincount(counts.indices, minlength=counts.shape[1]), max(counts.shape[0], 1))

    def chosen(self, sentences: Sequence[str], count: int, topic: str = "") -> list[int]:
        """Places of the `count` most central sentences, about the `topic` if given, in reading order."""
        sentences = sentences[:LONGEST_POOL]
        if not sentences or count < 1:
            return []
        vectors = self._vectors([*sentences, topic])
        # Sums in a fixed order: the same sentences are chosen on every machine.
        likeness = np.asarray((vectors @ vectors.T).todense()).astype(np.float64).round(6)
        rank = centrality(likeness[:-1, :-1], likeness[:-1, -1])
        chosen: list[int] = []
        for place in np.lexsort((np.arange(len(rank)), -np.round(rank, 9))).tolist():
            if all(likeness[place, other] < SAME for other in chosen):
                chosen.append(place)
            if len(chosen) == count:
                break
        return sorted(chosen)

    def _vectors(self, texts: Sequence[str]) -> Matrix:
        """Unit tf-idf vectors; words that no passage has are not known."""
        known = len(self._weights)
        rows = read_texts(self._vocabulary, pl.Series(texts, dtype=pl.String()), learn=False)
        row, key = rows.rows(), rows.keys
        keep = key < known
        counts = matrix_of(row[keep], key[keep], self._weights[key[keep]], (len(texts), known))
        return scaled(counts, np.asarray(np.sqrt(counts.multiply(counts).sum(axis=1)), np.float32))

    def _columns(self) -> Columns:
        return Columns(Rows.of([range(len(self._vocabulary.ids))]))


def centrality(likeness: NDArray[np.float64], topic: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each sentence in a random walk from like to like; `topic`: likeness to it, all 0 for none.

    p = d · relevance + (1 − d) · Σ likeness / Σ likeness of the other · p of the other.
    """
    size = len(likeness)
    total = likeness.sum(axis=1, keepdims=True)
    step = np.divide(likeness, total, out=np.full_like(likeness, 1 / size), where=total > 0)
    about = topic.sum() > 0
    jump = TOPIC_JUMP if about else JUMP
    target = topic / topic.sum() if about else np.full(size, 1 / size)
    rank: NDArray[np.float64] = np.full(size, 1 / size)
    for _ in range(STEPS):
        moved: NDArray[np.float64] = jump * target + (1 - jump) * step.T @ rank
        if np.abs(moved - rank).sum() < CLOSE:
            return moved
        rank = moved
    return rank
