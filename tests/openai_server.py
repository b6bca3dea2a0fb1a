"""A server on this machine that answers one path of OpenAI's API as a test wants it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[dict, str | None], tuple[int, bytes]]


@contextmanager
def openai_server(path: str, answer: Answer, models: bytes = b"") -> Iterator[str]:
    """Address of a server on a free port; `answer` maps request and Authorization header to status and body.

    GET /models is answered with `models`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            status, body = 404, b"not here"
            if self.path == f"/v1{path}":
                status, body = answer(json.loads(data), self.headers.get("Authorization"))
            self._send(status, body)

        def do_GET(self) -> None:
            self._send(200 if self.path == "/v1/models" else 404, models)

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/v1"
        finally:
            http.shutdown()
            thread.join()
