"""What goes wrong with a request, each with the HTTP status it becomes, and the one shape of an error (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

PROBLEM_TYPE = "application/problem+json"
CLIENT_CLOSED = 499
"""As nginx calls it: nobody reads the answer."""
MOST_PROBLEMS = 20


class ServingError(Exception):
    """The server cannot do what a request asks. The message is for the client: no path of the server, no stack."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}


class SettingsError(ServingError):
    """The server must not be started like this."""


class RefusedError(ServingError):
    """The request asks for what is not allowed, or cannot be understood."""

    status = HTTPStatus.BAD_REQUEST


class OutsideRootsError(ServingError):
    """A path lies outside the image roots, or may lie there: the answer does not depend on what is there."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ServingError):
    """There is nothing of that name or id."""

    status = HTTPStatus.NOT_FOUND


class TooLargeError(ServingError):
    """The request is larger than this server's limits."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedError(ServingError):
    """The body is of a kind that is not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class ConflictError(ServingError):
    """What the client expects of the server is not so."""

    status = HTTPStatus.CONFLICT


class OverloadedError(ServingError):
    """The queue is full."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(max(1, ceil(retry_seconds)))}


class DeadlineError(ServingError):
    """The answer was not there in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class UnavailableError(ServingError):
    """The scorer cannot score now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """An error as `application/problem+json`."""
    title = HTTPStatus(status).phrase if status in set(map(int, HTTPStatus)) else "Error"
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail, **more}
    return JSONResponse(body, status, dict(headers or {}), PROBLEM_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Let every error of the app be a problem document."""
    app.add_exception_handler(ServingError, _serving_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _unexpected)


async def _serving_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServingError)
    return problem(error.status, str(error), error.headers)


async def _http_exception(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), error.headers)


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Without `input`, which may be a picture, and without `ctx`, which may hold exceptions.
    found = [
        {"where": ".".join(str(part) for part in each["loc"]), "what": str(each["msg"])} for each in error.errors()
    ]
    detail = "; ".join(f"{each['where']}: {each['what']}" for each in found[:3])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=found[:MOST_PROBLEMS])


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    # The server's log has the traceback; a client gets none of it.
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of the server; its log says more")
