"""Illustrated summary cards: a concept or a document in a few sentences with its pictures, as HTML and Markdown."""

from kg_pipeline.retrieval.cards.content import CONCEPT_PICTURES, SECTION_PICTURES, SENTENCES, Cards
from kg_pipeline.retrieval.cards.writing import Written, write_concept, write_document, write_site

__all__ = [
    "CONCEPT_PICTURES",
    "SECTION_PICTURES",
    "SENTENCES",
    "Cards",
    "Written",
    "write_concept",
    "write_document",
    "write_site",
]
