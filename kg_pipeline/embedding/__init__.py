"""Vectors for texts: who computes them, and the cache that keeps a text from being sent twice."""

from kg_pipeline.embedding.cache import EmbeddingCache
from kg_pipeline.embedding.endpoint import EMBEDDING, EndpointEmbedder
from kg_pipeline.embedding.errors import EmbeddingError
from kg_pipeline.embedding.protocol import Embedder, Vectors
from kg_pipeline.embedding.texts import EmbeddingReport, dimensions_of, embed_texts

__all__ = [
    "EMBEDDING",
    "Embedder",
    "EmbeddingCache",
    "EmbeddingError",
    "EmbeddingReport",
    "EndpointEmbedder",
    "Vectors",
    "dimensions_of",
    "embed_texts",
]
