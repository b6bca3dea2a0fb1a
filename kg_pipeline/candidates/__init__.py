"""Candidates: which pairs of picture and text are worth scoring. Strategies, fusion, diagnostics; no judgement."""

from kg_pipeline.candidates.blocking import Blocking, block, named, strategies
from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.diagnostics import Diagnostics
from kg_pipeline.candidates.image_words import picture_texts, read_image_words
from kg_pipeline.candidates.strategy import Strategy

__all__ = [
    "Blocking",
    "Corpus",
    "Diagnostics",
    "Strategy",
    "block",
    "named",
    "picture_texts",
    "read_image_words",
    "strategies",
]
