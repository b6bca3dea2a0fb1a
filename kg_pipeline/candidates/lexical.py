"""Blocking by words: the picture's name, folders and text against passages, headings, titles and paths."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.fields import Fields
from kg_pipeline.candidates.sparse import Scores
from kg_pipeline.candidates.strategy import best_passages, proposals

# Fixed weights measured on three corpora (no reference visible: recall@50 0.98, Top-1 document 0.91). Folder words stand
# only against headings, titles and paths: on the body they cost 30 points of Top-1 in one of the corpora.
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
    """The passages that fit best by their own words and by the title, headings and path of their document."""

    limit: int
    name: str = "lexical"

    def propose(self, corpus: Corpus) -> pl.LazyFrame:
        """See Strategy."""
        fields = corpus.fields
        parts = []
        for block in fields.blocks():
            passage, passage_matched = passage_score(fields, block)
            document, document_matched = document_score(fields, block)
            of = fields.chunk_document
            chosen = best_passages(passage + document[:, of], passage_matched | document_matched[:, of], self.limit)
            parts.append((block, chosen))
        return proposals(fields, parts)


def passage_score(fields: Fields, block: slice) -> tuple[Scores, NDArray[np.bool_]]:
    """Weighted sum of the passage fields, and where any word matched: (pictures of the block, passages)."""
    return _weigh(fields.passages(block), PASSAGE_WEIGHTS)


def document_score(fields: Fields, block: slice) -> tuple[Scores, NDArray[np.bool_]]:
    """Weighted sum of the document fields, and where any word matched: (pictures of the block, documents)."""
    return _weigh(fields.documents(block), DOCUMENT_WEIGHTS)


def _weigh(scores: dict[str, Scores], weights: Mapping[str, float]) -> tuple[Scores, NDArray[np.bool_]]:
    total = np.zeros_like(scores[next(iter(weights))])
    matched: NDArray[np.bool_] = np.zeros(total.shape, np.bool_)
    for name, weight in weights.items():
        total += np.float32(weight) * scores[name]
        if name not in WORDLESS:
            matched |= scores[name] > 0
    return total, matched
