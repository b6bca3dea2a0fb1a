"""What can go wrong with embeddings."""


class EmbeddingError(Exception):
    """No vectors can be had; the message says from where, why and what to do, never a key or a text."""
