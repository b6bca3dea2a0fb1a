"""The reports of a HOME over http while `kg-pipeline dev` runs: a page that came over http opens no file of the disk.

For one person on one machine: loopback only, read only. `kg-pipeline serve` is what others can be let in to.
"""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl

from kg_pipeline.config import Limits
from kg_pipeline.images import thumbnail
from kg_pipeline.storage import StorageError, TableStore

THUMBNAIL = re.compile(r"/([^/?#]+)/thumbnails/([0-9a-f]{64})")
THUMBNAIL_SIDE = 160
THUMBNAILS_KEPT = 2_000
OWN_HOSTS = ("127.0.0.1", "localhost")
"""A page elsewhere whose name was made to point here would send its own name (DNS rebinding)."""


@contextmanager
def serve_reports(home: Path, port: int) -> Iterator[str]:
    """Serve HOME/reports on 127.0.0.1 and yield the address. Raises OSError when the port is taken."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(home))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(home: Path) -> type[SimpleHTTPRequestHandler]:
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
            if self.headers.get("Host", "").rpartition(":")[0] not in OWN_HOSTS:
                self.send_error(HTTPStatus.FORBIDDEN, "ask for 127.0.0.1 or localhost")
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
