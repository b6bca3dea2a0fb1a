"""Full text of passages in memory: BM25 on text and headings, with the words of blocking (stems, Chinese pairs)."""

from collections import Counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.matching import TextIndex
from kg_pipeline.candidates.reading import read_texts
from kg_pipeline.candidates.sparse import Columns, Rows
from kg_pipeline.candidates.tokens import Vocabulary, tokens

# b as in candidates.fields: headings are short by nature, so their length says less than that of prose.
FIELDS = (("text", 1.0, 0.75), ("headings", 0.5, 0.5))
"""Column, weight (as in candidates.weights), b."""


class WordIndex:
    """BM25 (k1 1.2, Lucene's IDF) of a question on many passages; built once, asked often."""

    def __init__(self, passages: pl.DataFrame) -> None:
        """`passages`: columns text, headings; scores come in their order."""
        self._size = len(passages)
        self._vocabulary = Vocabulary()
        read = [read_texts(self._vocabulary, passages[name].fill_null(""), learn=False) for name, _, _ in FIELDS]
        words = Columns(Rows.of([range(len(self._vocabulary.ids))]))
        # By word: a question touches a few columns, however many passages there are.
        self._postings = [
            (TextIndex(rows.batches(), words, b).postings(np.ones(len(words.keys), np.bool_)), weight)
            for rows, (_, weight, b) in zip(read, FIELDS, strict=True)
        ]

    def scores(self, question: str) -> NDArray[np.float64]:
        """One score per passage; 0 where no word of the question stands."""
        total = np.zeros(self._size)
        ids = self._vocabulary.ids
        asked = Counter(word for word in tokens(question) if word in ids)
        for word, count in sorted(asked.items()):
            for postings, weight in self._postings:
                cells = slice(postings.indptr[ids[word]], postings.indptr[ids[word] + 1])
                total[postings.indices[cells]] += weight * (1 + np.log(count)) * postings.data[cells]
        return total
