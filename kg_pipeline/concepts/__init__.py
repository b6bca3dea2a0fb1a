"""Concepts: things that have a name, from the graph, a glossary and headings, and where passages mention them."""

from kg_pipeline.concepts.mentions import find_mentions
from kg_pipeline.concepts.reading import (
    ConceptError,
    ConceptTables,
    concept_text,
    concept_texts,
    read_concepts,
    usable_concepts,
)

__all__ = [
    "ConceptError",
    "ConceptTables",
    "concept_text",
    "concept_texts",
    "find_mentions",
    "read_concepts",
    "usable_concepts",
]
