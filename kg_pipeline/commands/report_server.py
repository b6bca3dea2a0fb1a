"""The reports of a HOME over http: a page that came over http, such as Dagster's, opens no file of the disk.

Read only, and nobody is asked for a password: for one machine, or behind a proxy that knows its users.
`kg-pipeline serve` is what others can be let in to.
"""

import base64
import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from kg_pipeline.config import Limits, Settings
from kg_pipeline.images import thumbnail
from kg_pipeline.storage import StorageError, TableStore

THUMBNAIL = re.compile(r"/([^/?#]+)/thumbnails/([0-9a-f]{64})")
PORT = re.compile(r":\d+$")
THUMBNAIL_SIDE = 160
THUMBNAILS_KEPT = 2_000
LOOPBACK = ("127.0.0.1", "localhost")
"""A page elsewhere whose name was made to point here would send its own name (DNS rebinding)."""


@contextmanager
def serve_reports(home: Path, port: int, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve HOME/reports and yield the address. Raises OSError when the port is taken.

    Whatever `host` it listens on, it answers to the names of this machine and to that of KG_PIPELINE_REPORTS_URL only.
    """
    named = urlsplit(Settings().reports_url or "").hostname
    server = ThreadingHTTPServer((host, port), _handler(home, {*LOOPBACK, named or LOOPBACK[0]}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(home: Path, names: Collection[str]) -> type[SimpleHTTPRequestHandler]:
    store = TableStore(home)

    @lru_cache(THUMBNAILS_KEPT)
    def picture(collection: str, image_id: str) -> str | None:
        try:
            files = store.scan("image_files", collection)
        except StorageError:
            return None
        uris = files.filter(pl.col("image_id") == image_id, pl.col("uri").is_not_null()).head(1).collect()["uri"]
        return thumbnail(uris[0], Limits(), THUMBNAIL_SIDE) if len(uris) else None

    class Reports(SimpleHTTPRequestHandler):
        """Files of HOME/reports, and thumbnails of the pictures of its collections."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(home / "reports"))

        def do_GET(self) -> None:
            """A file, or a thumbnail."""
            if PORT.sub("", self.headers.get("Host", "")).lower() not in names:
                self.send_error(HTTPStatus.FORBIDDEN, f"ask for {' or '.join(sorted(names))}")
            elif asked := THUMBNAIL.fullmatch(self.path):
                self._send_thumbnail(picture(*asked.groups()))
            else:
                super().do_GET()

        def end_headers(self) -> None:
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-cache")
            super().end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal is Dagster's."""

        def _send_thumbnail(self, address: str | None) -> None:
            if address is None:
                self.send_error(HTTPStatus.NOT_FOUND, "no such picture, or none that can be shown")
                return
            kind, _, data = address.removeprefix("data:").partition(";base64,")
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            # An SVG that is opened by itself runs nothing.
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
            self.end_headers()
            self.wfile.write(base64.b64decode(data))

    return Reports
