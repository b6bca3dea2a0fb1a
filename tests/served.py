"""A server of the HTTP API for tests: a real uvicorn on a thread of its own, and the tiny checkpoint to score with."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import urllib3
import uvicorn

from kg_pipeline.reranking import ImageScores
from kg_pipeline.reranking.protocol import Direction, Reason
from kg_pipeline.serving import Picture, ServeSettings, Services, create_app
from kg_pipeline.serving.app import make_services
from kg_pipeline.serving.groups import PictureTexts
from kg_pipeline.serving.scoring import ChosenScorer


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    url: str
    services: Services
    pool: urllib3.PoolManager

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> Answer:
        """`body` as JSON."""
        return self.ask("POST", path, json=body, **more)

    def ask(self, method: str, path: str, **more: Any) -> Answer:
        found = self.pool.request(method, self.url + path, retries=False, timeout=60, **more)
        return Answer(found.status, found.headers, found.data)


@contextmanager
def serving(settings: ServeSettings, services: Services | None = None) -> Iterator[Served]:
    """Serve until the block ends."""
    app = create_app(settings, services)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=10)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until = time.monotonic() + 120
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        pool = urllib3.PoolManager(maxsize=64, block=False)
        try:
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", app.state.services, pool)
        finally:
            pool.clear()
            server.should_exit = True
            thread.join(30)


class HashScorer:
    """Scores without a model: log-odds from a hash of picture and text; a gate holds it at its work."""

    note: str | None = None

    def __init__(self, pairs_at_once: int = 64) -> None:
        self.pairs_at_once = pairs_at_once
        self.gate = threading.Event()
        self.gate.set()
        self.turns: list[list[tuple[str, tuple[str, ...]]]] = []
        """Names and texts of each turn."""
        self.failure: Exception | None = None

    def fingerprint(self, direction: Direction) -> str:
        return f"hash/{direction}"

    def load(self) -> None:
        """Nothing to load."""

    def score(self, direction: Direction, groups: Sequence[PictureTexts]) -> list[ImageScores]:
        self.turns.append([(group.picture.name, group.texts) for group in groups])
        self.gate.wait(20)
        if self.failure:
            raise self.failure
        return [
            ImageScores(
                group.picture.image_id or "",
                tuple(hash_log_odds(group.picture.data, text) if group.picture.data else None for text in group.texts),
                (False,) * len(group.texts),
                group.picture.error,
            )
            for group in groups
        ]

    def findings(self, _: Picture, __: str) -> str | None:
        return None

    def explain(self, _: Picture, text: str) -> Reason | None:
        return Reason(f"Score: 7.0 — because of {text}", f"because of {text}", 7.0)

    def facts(self) -> dict[str, str | int | float]:
        return {"device": "none"}


def hash_log_odds(data: bytes, text: str) -> float:
    """Between -8 and 8, another one for every pair."""
    return int.from_bytes(sha256(data + text.encode()).digest()[:4]) / 2**28 - 8


@contextmanager
def serving_hashes(settings: ServeSettings, scorer: HashScorer) -> Iterator[Served]:
    """A server without a model."""
    with serving(settings, make_services(settings, ChosenScorer(scorer, "for tests"))) as served:
        yield served
