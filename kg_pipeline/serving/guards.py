"""ASGI middlewares: who may ask (token, host, origin), and what is counted."""

import hmac
import logging
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kg_pipeline.serving.errors import problem
from kg_pipeline.serving.metrics import Metrics
from kg_pipeline.serving.settings import ServeSettings

OPEN_PATHS = frozenset({"/api/health"})
"""Answered without a token, for load balancers; says nothing of the content."""
GUARDED = ("/api/", "/metrics", "/mcp")
"""What needs the token when there is one; the rest is the page and the API's description, the same for everybody."""
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

log = logging.getLogger(__name__)


class Guard:
    """Refuses who has no token; on a loopback server without one, who comes by another site's page.

    A page of any site can make its reader's browser send requests to 127.0.0.1, under its own host name when it has
    its DNS answer so: hence Host must be a local name there, and Origin, where it is sent, this server's own.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._token = settings.token.get_secret_value().encode() if settings.token else None
        self._local_only = settings.token is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 401, 403."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self._local_only and _host(headers.get("host", "")) not in LOCAL_NAMES:
                await problem(403, "this server only answers requests to 127.0.0.1 or localhost")(scope, receive, send)
                return
            if scope["method"] not in SAFE_METHODS and not _same_origin(headers):
                await problem(403, "this server takes no requests from pages of other sites")(scope, receive, send)
                return
            if self._token and _is_guarded(scope["path"]) and not self._knows_token(headers):
                refused = problem(
                    401, "this server needs a token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
                )
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _knows_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        # compare_digest takes as long for a wrong first letter as for a wrong last one.
        return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token or b"")


def _is_guarded(path: str) -> bool:
    return path.startswith(GUARDED) and path not in OPEN_PATHS


def _host(value: str) -> str:
    return value.rpartition(":")[0] if value.rpartition(":")[2].isdigit() else value


def _same_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


class BodyBudget:
    """Bounds the bytes of all bodies that are being read or worked on: many large uploads at once are shed with 429."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, counting what comes in until the answer is out."""
        mine = 0

        async def counting() -> Message:
            nonlocal mine
            message = await receive()
            size = len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if self._held + size > self._most:
                # As an HTTPException, which FastAPI passes on from the reading of a body.
                raise HTTPException(429, "too much is being uploaded at once: try again later", {"Retry-After": "2"})
            mine += size
            self._held += size
            return message

        try:
            await self._app(scope, counting, send)
        finally:
            self._held -= mine


class Measured:
    """Counts every answer by route, and logs it without what was asked."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            route = _route(scope)
            seconds = time.monotonic() - started
            self._metrics.requests.labels(route, _method(scope), str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            log.info("%s %s %s %.0f ms", scope["method"], route, status, 1000 * seconds)


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's pattern: what a client wrote in the path must not make a counter each."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))
