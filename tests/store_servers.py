"""Servers on this machine that hold pictures: one that speaks S3, and a web server with ETags that can misbehave."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from PIL import Image

ACCESS_KEY, SECRET_KEY = "testing", "very-secret-access-key"


def picture(colour: int = 0, form: str = "PNG") -> bytes:
    """A small picture of its own colour."""
    data = BytesIO()
    image = Image.new("RGB", (12, 8), (colour % 256, colour // 256 % 256, 7))
    image.putpixel((0, 0), (255, 255, 255))
    image.save(data, form)
    return data.getvalue()


@dataclass
class S3:
    """A server that speaks S3."""

    url: str
    client: object

    def put(self, bucket: str, **objects: bytes) -> None:
        """Write objects, `__` in their names for a slash and `_png` for an ending."""
        for name, data in objects.items():
            self.client.put_object(Bucket=bucket, Key=name.replace("__", "/").replace("_png", ".png"), Body=data)


@contextmanager
def s3_server() -> Iterator[S3]:
    """moto's server on a free port."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        yield S3(url, client)
    finally:
        server.stop()


@dataclass(frozen=True)
class Asked:
    """A request."""

    path: str
    headers: dict[str, str]
    status: int


@dataclass
class WebServer:
    """What a web server has, by path, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    """Paths that answer in their own way."""
    asked: list[Asked] = field(default_factory=list)

    def statuses(self) -> list[int]:
        """Of what was asked since the last call, sorted."""
        found = sorted(entry.status for entry in self.asked)
        self.asked.clear()
        return found


def redirect(location: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that leads elsewhere."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def truncated(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer that promises more than comes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) * 2))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def refusal(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer without content."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@contextmanager
def web_server(has_etags: bool = True) -> Iterator[WebServer]:
    """A server on a free port, with nothing on it yet."""
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if special := server.answers.get(self.path):
                special(self)
                return
            data = server.files.get(self.path)
            if data is None:
                refusal(404)(self)
                return
            mark = f'"{hashlib.md5(data).hexdigest()}"'
            if has_etags and self.headers.get("If-None-Match") == mark:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            if has_etags:
                self.send_header("ETag", mark)
            self.end_headers()
            self.wfile.write(data)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            server.asked.append(Asked(self.path, dict(self.headers), int(str(int(code)))))

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is no error of a test."""

    with Server(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def listing(*names: str, title: str = "Index of /pictures/") -> bytes:
    """A page as nginx lists a folder."""
    rows = "\n".join(f'<a href="{name}">{name}</a>      23-Nov-2026 01:22      1234' for name in names)
    return (
        f"<html><head><title>{title}</title></head><body><h1>{title}</h1><hr><pre>"
        f'<a href="../">../</a>\n<a href="?C=N;O=D">Name</a>\n{rows}\n</pre></body></html>'
    ).encode()
