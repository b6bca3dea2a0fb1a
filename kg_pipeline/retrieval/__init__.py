"""Search that prefers passages with visual evidence, and illustrated cards of what is in a collection."""

from kg_pipeline.retrieval.errors import RetrievalError
from kg_pipeline.retrieval.graph_passages import GraphPassages
from kg_pipeline.retrieval.hits import Hit, Picture
from kg_pipeline.retrieval.library import Library
from kg_pipeline.retrieval.ordering import DEFAULT_WEIGHT, FORMULA, illustrated_first
from kg_pipeline.retrieval.passages import WAYS, By, Passages, TablePassages
from kg_pipeline.retrieval.searching import TOP, plain_search, search

__all__ = [
    "DEFAULT_WEIGHT",
    "FORMULA",
    "TOP",
    "WAYS",
    "By",
    "GraphPassages",
    "Hit",
    "Library",
    "Passages",
    "Picture",
    "RetrievalError",
    "TablePassages",
    "illustrated_first",
    "plain_search",
    "search",
]
