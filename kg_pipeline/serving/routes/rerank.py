"""POST /api/rerank: a query over pictures, as JSON or as a form with files."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from kg_pipeline.serving.errors import RefusedError, UnsupportedError
from kg_pipeline.serving.pictures import Picture, read_upload
from kg_pipeline.serving.schemas import RerankAnswerBody, RerankRequest
from kg_pipeline.serving.services import Services
from kg_pipeline.serving.sources import pictures_of
from kg_pipeline.serving.waiting import while_connected

JSON, FORM = "application/json", "multipart/form-data"
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/RerankRequest"}},
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["query", "files"],
                    "properties": {
                        "query": {"type": "string", "minLength": 1},
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "explain": {"type": "boolean", "default": False},
                    },
                }
            },
        },
    }
}
TRUE = frozenset({"true", "1", "on", "yes"})


def router(services: Services) -> APIRouter:
    """POST /api/rerank."""
    routes = APIRouter(tags=["scores"])

    @routes.post(
        "/api/rerank",
        summary="Which of these pictures shows this?",
        response_model=RerankAnswerBody,
        openapi_extra=BODY,
    )
    async def rerank(request: Request) -> JSONResponse:
        """The pictures sorted by how well they show the query, with a score from 0 to 10 and a reason each.

        Pictures are named by path inside the server's image roots, sent in base64, sent as files of a form, or named by
        their id in the server's collections. One that cannot be read has no score but an `error`, and comes last.
        """
        query, pictures, explain = await _read(request, services)
        work = services.reranking.rerank_soon(query, pictures, explain=explain)
        answer = await while_connected(request, work)
        return JSONResponse(answer.as_json())

    return routes


async def _read(request: Request, services: Services) -> tuple[str, list[Picture], bool]:
    """Query, pictures and whether to explain. Raises ServingError, RequestValidationError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        body = _validated(await request.body())
        return body.query, await pictures_of(body, services), body.explain
    if kind == FORM:
        return await _read_form(request, services)
    raise UnsupportedError(f"send {JSON} or {FORM}")


def _validated(body: bytes) -> RerankRequest:
    try:
        return RerankRequest.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError([_in_body(each) for each in error.errors(include_url=False)]) from error


def _in_body(error: Any) -> dict[str, Any]:
    return {**error, "loc": ("body", *error["loc"])}


async def _read_form(request: Request, services: Services) -> tuple[str, list[Picture], bool]:
    limits = services.settings.limits
    async with request.form(max_files=limits.pictures, max_fields=8) as form:
        query = form.get("query")
        if not isinstance(query, str) or not query:
            raise RefusedError("the form needs a field `query` with a text")
        files = [each for each in form.getlist("files") if isinstance(each, UploadFile)]
        if not files:
            raise RefusedError("the form needs one or more files in the field `files`")
        pictures = [
            read_upload(each.filename or f"upload {number}", await each.read(), limits.of_images)
            for number, each in enumerate(files, start=1)
        ]
        return query, pictures, str(form.get("explain", "")).lower() in TRUE
