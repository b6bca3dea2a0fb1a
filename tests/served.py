"""A server of the HTTP API for tests: a real uvicorn on a thread of its own, and the tiny checkpoint to score with."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3
import uvicorn

from kg_pipeline.serving import ServeSettings, Services, create_app


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
