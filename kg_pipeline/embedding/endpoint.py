"""An embedder behind an address that speaks OpenAI's `POST /embeddings`: vLLM, Ollama, TEI, llama.cpp, OpenAI."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import SecretStr

from kg_pipeline.embedding.errors import EmbeddingError
from kg_pipeline.embedding.protocol import Vectors
from kg_pipeline.model_sections import Embeddings
from kg_pipeline.model_server import ModelServer, RefusedError, Service

EMBEDDING = Service("embedding", "/embeddings", "embeddings", "KG_PIPELINE_EMBEDDING_API_KEY", EmbeddingError)


class EndpointEmbedder:
    """Sends texts in batches, with retries. Two addresses that serve a model of the same name count as one model."""

    def __init__(self, section: Embeddings, api_key: SecretStr) -> None:
        """Nothing is sent before the first text. `api_key` may be empty, for servers that ask for none."""
        self._section = section
        self._server = ModelServer(EMBEDDING, section.url, section.model, api_key, section.timeout_seconds)
        self._known_dimensions = section.dimensions

    @property
    def fingerprint(self) -> str:
        """Model and number of dimensions that were asked for."""
        return f"openai-embeddings:{self._section.model}:{self._section.dimensions or 'all'}"

    @property
    def dimensions(self) -> int:
        """As configured, else as the server answers. Raises EmbeddingError."""
        if self._known_dimensions is None:
            self.embed(["dimensions"])
        assert self._known_dimensions is not None
        return self._known_dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As in the protocol. Raises EmbeddingError."""
        step = self._section.batch
        batches = [self._batch(texts[start : start + step]) for start in range(0, len(texts), step)]
        return np.concatenate(batches) if batches else np.empty((0, self.dimensions), np.float32)

    def _batch(self, texts: Sequence[str]) -> Vectors:
        try:
            return self._request(texts)
        except RefusedError as error:
            self._check_that_a_short_text_passes(texts, error)
        return self._without_refused(texts)

    def _check_that_a_short_text_passes(self, texts: Sequence[str], refusal: RefusedError) -> None:
        """Without this, a wrong setting would be tried on each text alone."""
        try:
            self._request([min(texts, key=len)] if len(texts) > 1 else ["text"])
        except RefusedError as error:
            raise EmbeddingError(
                f"the embedding server at {self._server.url} refuses every text ({refusal}): "
                f"correct embeddings.model ({self._section.model}) or embeddings.dimensions"
            ) from error

    def _without_refused(self, texts: Sequence[str]) -> Vectors:
        """Which text of a batch is refused is found by halving."""
        if len(texts) == 1:
            return np.full((1, self.dimensions), np.nan, np.float32)
        halves = []
        for half in (texts[: len(texts) // 2], texts[len(texts) // 2 :]):
            try:
                halves.append(self._request(half))
            except RefusedError:
                halves.append(self._without_refused(half))
        return np.concatenate(halves)

    def _request(self, texts: Sequence[str]) -> Vectors:
        body: dict[str, Any] = {"input": list(texts), "encoding_format": "float"}
        if self._section.dimensions:
            body["dimensions"] = self._section.dimensions
        return self._vectors(self._server.post(body), len(texts))

    def _vectors(self, data: bytes, expected: int) -> Vectors:
        url = self._server.url
        try:
            rows = sorted(json.loads(data)["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise self._server.unlike_protocol(error) from None
        if vectors.ndim != 2 or len(vectors) != expected:
            raise EmbeddingError(f"{url} answers with vectors of shape {vectors.shape} to {expected} texts")
        if self._known_dimensions not in (None, vectors.shape[1]):
            raise EmbeddingError(
                f"{url} answers with {vectors.shape[1]} dimensions instead of {self._known_dimensions}: "
                f"the model {self._section.model} cannot be cut to that; correct or remove embeddings.dimensions"
            )
        self._known_dimensions = vectors.shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit
