"""GET / and /page/…: the web page, which loads nothing from anywhere else."""

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from kg_pipeline.serving.errors import NotFoundError
from kg_pipeline.serving.services import Services

FOLDER = files("kg_pipeline.serving") / "page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    (
        "default-src 'self'",
        # Pictures that are fetched with a token, or chosen for upload, are blobs of this page's own.
        "img-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No string ever becomes markup: a slip is an error, not a hole.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def router(_: Services) -> APIRouter:
    """The page and its parts; the same for everybody, so no token is needed."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def index(request: Request) -> Response:
        return _part(request, "index.html")

    @routes.get("/page/{name:path}")
    def part(request: Request, name: str) -> Response:
        return _part(request, name)

    return routes


@cache
def parts() -> dict[str, bytes]:
    """The files of the page by name: read once, so that no path of a request ever reaches the disk."""
    found = {entry.name: entry.read_bytes() for entry in FOLDER.iterdir() if entry.is_file()}
    return found | {f"words/{entry.name}": entry.read_bytes() for entry in (FOLDER / "words").iterdir()}


def _part(request: Request, name: str) -> Response:
    data = parts().get(name)
    if data is None:
        raise NotFoundError("the page has no such part")
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA_TYPES["." + name.rpartition(".")[2]], headers=headers)
