"""Blocking by words: the picture's name, folders and text against passages, headings, titles and paths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.fields import Fields
from kg_pipeline.candidates.sparse import Scores
from kg_pipeline.candidates.strategy import best_passages, chosen, proposals

# Fixed weights measured on three corpora (no reference visible: recall@50 0.98, Top-1 document 0.91). Folder words
# stand only against headings, titles and paths: on the body they cost 30 points of Top-1 in one of the corpora.
PASSAGE_WEIGHTS: Mapping[str, float] = {
    "name_body": 1.0,
    "ocr_body": 0.5,
    "name_heading": 0.5,
    "folder_heading": 0.5,
    "name_trigrams": 0.75,
    "name_bigrams": 0.75,
    "ocr_bigrams": 0.5,
    "phrase": 0.4,
    "ui_labels": 0.5,
    "cue_words": 0.05,
}
DOCUMENT_WEIGHTS: Mapping[str, float] = {
    "name_title": 1.0,
    "folder_title": 0.75,
    "folder_overlap": 0.75,
    "folder_name": 1.5,
    "folder_like": 0.5,
    "folder_trigrams": 0.5,
    "title_trigrams": 0.5,
    "path_distance": -0.35,
    "name_document": 0.5,
    "ocr_document": 0.5,
    "name_prefix": 0.25,
    "same_language": 0.3,
    "index_page": -0.2,
}
WORDLESS = frozenset({"cue_words", "path_distance", "same_language", "index_page"})
"""Fields that hold for any picture: alone they propose nothing."""


@dataclass(frozen=True)
class LexicalPassage:
    """The passages whose own words fit best, wherever they stand."""

    limit: int
    name: str = "lexical_passage"

    def propose(self, corpus: Corpus) -> pl.LazyFrame:
        """See Strategy."""
        fields = corpus.fields
        parts = []
        for block in fields.blocks():
            score, matched = passage_score(fields, block)
            parts.append((block, best_passages(score, matched, self.limit)))
        return proposals(fields, parts)


@dataclass(frozen=True)
class Lexical:
    """The passages that fit best by their own words and by the title, headings and path of their document.

    The `limit` best, and as many with no more than `per_document` of any document: one long document must not be
    all that is proposed.
    """

    limit: int
    per_document: int = 15
    name: str = "lexical"

    def propose(self, corpus: Corpus) -> pl.LazyFrame:
        """See Strategy."""
        fields = corpus.fields
        parts = []
        for block in fields.blocks():
            passage, passage_matched = passage_score(fields, block)
            document, document_matched = document_score(fields, block)
            scores = passage + document[:, fields.chunk_document]
            matched = passage_matched | document_matched[:, fields.chunk_document]
            wanted = chosen(scores, matched, self.limit)
            wanted |= chosen(scores, _leading(scores, matched, fields.chunk_document, self.per_document), self.limit)
            parts.append((block, best_passages(scores, wanted, 2 * self.limit)))
        return proposals(fields, parts)


def passage_score(fields: Fields, block: slice) -> tuple[Scores, NDArray[np.bool_]]:
    """Weighted sum of the passage fields, and where any word matched: (pictures of the block, passages)."""
    return _weigh(fields.passages(block), PASSAGE_WEIGHTS)


def document_score(fields: Fields, block: slice) -> tuple[Scores, NDArray[np.bool_]]:
    """Weighted sum of the document fields, and where any word matched: (pictures of the block, documents)."""
    return _weigh(fields.documents(block), DOCUMENT_WEIGHTS)


def _leading(
    scores: Scores, matched: NDArray[np.bool_], chunk_document: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Whether a matched passage is among the `count` best of its document."""
    leading = matched.copy()
    # Passages of a document stand together.
    starts = np.flatnonzero(np.diff(chunk_document, prepend=-1))
    for start, length in zip(starts.tolist(), np.diff(starts, append=len(chunk_document)).tolist(), strict=True):
        if length > count:
            mine = slice(start, start + length)
            leading[:, mine] = chosen(scores[:, mine], matched[:, mine], count)
    return leading


def _weigh(scores: dict[str, Scores], weights: Mapping[str, float]) -> tuple[Scores, NDArray[np.bool_]]:
    total = np.zeros_like(scores[next(iter(weights))])
    matched: NDArray[np.bool_] = np.zeros(total.shape, np.bool_)
    for name, weight in weights.items():
        total += np.float32(weight) * scores[name]
        if name not in WORDLESS:
            matched |= scores[name] > 0
    return total, matched
