"""A server that speaks OpenAI's /embeddings: vectors are bags of hashed words, so that like texts are near."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from openai_server import openai_server

DIMENSIONS = 64


def bag_of_words(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The same vector for the same words, of any length but 1."""
    vector = np.zeros(dimensions)
    for word in re.findall(r"\w+", text.lower()):
        vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % dimensions] += 2
    vector[0] += 0.5
    return vector.tolist()


@dataclass
class EmbeddingServer:
    """What it was asked, and how it is to answer."""

    url: str = ""
    requests: list[dict] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Answers to give before the right ones."""
    longest: int = 10_000
    """Characters of the longest text it takes."""
    body: bytes | None = None
    """Answer with this instead."""

    @property
    def texts(self) -> list[str]:
        """Every text it was sent."""
        return [text for request in self.requests for text in request["input"]]

    def answer(self, request: dict, key: str | None) -> tuple[int, bytes]:
        self.requests.append(request)
        self.keys.append(key)
        if self.statuses:
            quoted = {"error": {"message": f"bad input {request['input']}", "type": "some_error", "code": key or ""}}
            return self.statuses.pop(0), json.dumps(quoted).encode()
        if self.body is not None:
            return 200, self.body
        if max(map(len, request["input"])) > self.longest:
            return 400, json.dumps({"error": {"message": str(request["input"]), "type": "BadRequestError"}}).encode()
        rows = [
            {"index": index, "embedding": bag_of_words(text, request.get("dimensions", DIMENSIONS))}
            for index, text in enumerate(request["input"])
        ]
        return 200, json.dumps({"data": rows[::-1], "model": request["model"]}).encode()


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    """A server on a free port of this machine."""
    server = EmbeddingServer()
    with openai_server("/embeddings", server.answer) as server.url:
        yield server
