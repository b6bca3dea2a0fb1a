"""An embedder behind an address that speaks OpenAI's `POST /embeddings`: vLLM, Ollama, TEI, llama.cpp, OpenAI."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from kg_pipeline.config import Embeddings
from kg_pipeline.embedding.errors import EmbeddingError
from kg_pipeline.embedding.protocol import Vectors

RETRIES = 4
BACKOFF_SECONDS = 0.5
"""0.5, 1, 2, 4 seconds, or what the server's Retry-After asks for."""
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)
CONNECT_SECONDS = 10.0

REFUSED_STATUSES = (400, 413, 422)
"""The input does not suit the model. Which of a batch it was is found by halving."""

# Servers quote the input in their error texts, so only a plain word of the answer is passed on.
PLAIN_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RefusedError(Exception):
    """The server does not take these texts."""


class EndpointEmbedder:
    """Sends texts in batches, with retries. Two addresses that serve a model of the same name count as one model."""

    def __init__(self, section: Embeddings, api_key: SecretStr) -> None:
        """Nothing is sent before the first text. `api_key` may be empty, for servers that ask for none."""
        self._section = section
        self._url = section.url.rstrip("/") + "/embeddings"
        self._key = api_key
        self._known_dimensions = section.dimensions
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=section.timeout_seconds),
            retries=urllib3.Retry(
                total=RETRIES,
                backoff_factor=BACKOFF_SECONDS,
                status_forcelist=RETRIED_STATUSES,
                allowed_methods=None,
                # A redirect would take the key to another host.
                redirect=False,
                raise_on_status=False,
            ),
        )

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
                f"the embedding server at {self._url} refuses every text ({refusal}): "
                f"correct embeddings.model ({self._section.model}) or embeddings.dimensions"
            ) from error

    def _without_refused(self, texts: Sequence[str]) -> Vectors:
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
        body: dict[str, Any] = {"model": self._section.model, "input": list(texts), "encoding_format": "float"}
        if self._section.dimensions:
            body["dimensions"] = self._section.dimensions
        try:
            response = self._pool.request("POST", self._url, json=body, headers=self._headers())
        except HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise EmbeddingError(
                f"no embedding server answers at {self._url} ({type(reason).__name__}): start it, correct "
                "embeddings.url in collections.yaml, or remove the section `embeddings`"
            ) from None
        if response.status != 200:
            raise self._explained(response)
        return self._vectors(response.data, len(texts))

    def _headers(self) -> dict[str, str]:
        key = self._key.get_secret_value()
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _explained(self, response: urllib3.BaseHTTPResponse) -> EmbeddingError | RefusedError:
        what = f"{response.status}{_plain_reason(response.data)}"
        if response.status in REFUSED_STATUSES:
            return RefusedError(what)
        if response.status in (401, 403):
            return EmbeddingError(
                f"the embedding server at {self._url} refuses the key ({what}): set KG_PIPELINE_EMBEDDING_API_KEY"
            )
        if response.status == 404:
            return EmbeddingError(
                f"{self._url} does not exist or does not know the model {self._section.model} ({what}): "
                "embeddings.url is the address before /embeddings, for example http://localhost:8000/v1"
            )
        return EmbeddingError(f"the embedding server at {self._url} answers {what}: look at its log, then run again")

    def _vectors(self, data: bytes, expected: int) -> Vectors:
        try:
            rows = sorted(json.loads(data)["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise EmbeddingError(
                f"{self._url} does not answer as OpenAI's /embeddings does ({type(error).__name__}): correct "
                "embeddings.url"
            ) from None
        if vectors.ndim != 2 or len(vectors) != expected:
            raise EmbeddingError(f"{self._url} answers with vectors of shape {vectors.shape} to {expected} texts")
        if self._known_dimensions not in (None, vectors.shape[1]):
            raise EmbeddingError(
                f"{self._url} answers with {vectors.shape[1]} dimensions instead of {self._known_dimensions}: "
                f"the model {self._section.model} cannot be cut to that; correct or remove embeddings.dimensions"
            )
        self._known_dimensions = vectors.shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def _plain_reason(data: bytes) -> str:
    try:
        error = json.loads(data)["error"]
        words = [str(error[name]) for name in ("type", "code") if error.get(name)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "".join(f", {word}" for word in words if PLAIN_WORD.fullmatch(word))
