"""The FastAPI application: routes, guards, errors, and the life of the scorer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from kg_pipeline.retrieval import Library
from kg_pipeline.serving.errors import CLIENT_CLOSED, PROBLEM_TYPE, add_handlers
from kg_pipeline.serving.guards import BodyBudget, Guard, Measured
from kg_pipeline.serving.metrics import Metrics
from kg_pipeline.serving.pictures import HomePictures
from kg_pipeline.serving.rerank_service import RerankService
from kg_pipeline.serving.routes import browse, health, page, picture_files, rerank, score, search, verdicts
from kg_pipeline.serving.schemas import InlineImage, Problem, RerankRequest
from kg_pipeline.serving.scoring import ChosenScorer, choose_scorer
from kg_pipeline.serving.services import Services
from kg_pipeline.serving.settings import ServeSettings
from kg_pipeline.serving.words import WordScorer
from kg_pipeline.storage import TableStore

ROUTES: tuple[Callable[[Services], APIRouter], ...] = (
    rerank.router,
    score.router,
    search.router,
    health.router,
    browse.router,
    picture_files.router,
    verdicts.router,
    page.router,
)
DESCRIPTION = """How well does a picture show what a text says? From 0 to 10, by the same reranker as the pipeline.

Errors are `application/problem+json` (RFC 9457). With a token, send `Authorization: Bearer TOKEN`.
"""
PROBLEM = "#/components/schemas/Problem"
PROBLEMS = {
    400: "cannot be understood",
    401: "the token is missing or wrong",
    403: "outside the image roots, or from a page of another site",
    404: "there is nothing of that name or id",
    409: "not as the client expects: another scorer, or a table that cannot be written now",
    413: "larger than the limits of this server",
    415: "the body is of a kind that is not read",
    422: "the body does not have the form described here",
    429: "too much waits already: try again after Retry-After seconds",
    503: "the scorer cannot score now",
    504: "not done within the deadline",
}


def make_services(settings: ServeSettings, chosen: ChosenScorer | None = None) -> Services:
    """What the routes share; `chosen` in place of the scorer that the settings ask for. Raises RerankerError."""
    limits, metrics = settings.limits, Metrics()
    words = WordScorer(settings.home / "cache" / "ocr", limits.of_images)
    chosen = chosen or choose_scorer(settings.scoring, limits.of_images, words)
    store = TableStore(settings.home)
    return Services(
        settings=settings,
        reranking=RerankService(chosen, limits, metrics.on_turn),
        store=store,
        home_pictures=HomePictures(store, limits.of_images),
        metrics=metrics,
        library=Library(settings.home),
    )


def create_app(settings: ServeSettings, services: Services | None = None) -> FastAPI:
    """The application; loads the scorer at its start and drains the queue at its end. Raises RerankerError."""
    made = services or make_services(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(made.reranking.load)
        yield
        await anyio.to_thread.run_sync(made.reranking.close, settings.limits.drain_seconds)
        await anyio.to_thread.run_sync(made.library.close)

    app = FastAPI(
        title="kg-pipeline",
        summary="The reranker of the pipeline as a service.",
        description=DESCRIPTION,
        version=version("kg-pipeline"),
        lifespan=life,
        # Swagger's page loads its scripts from another host; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
        max_body_size=settings.limits.body_bytes,
        responses={
            status: {
                "description": text,
                "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
            for status, text in PROBLEMS.items()
        },
    )
    app.state.services = made
    add_handlers(app)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    for router in ROUTES:
        app.include_router(router(made))
    app.add_middleware(BodyBudget, most=settings.limits.waiting_bytes)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Measured, metrics=made.metrics)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


async def _client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED)


def _described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI with the models that are only named in it by reference."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for model in (Problem, InlineImage, RerankRequest):
            described = model.model_json_schema(ref_template="#/components/schemas/{model}")
            described.pop("$defs", None)
            schemas[model.__name__] = described
        app.openapi_schema = schema
    return app.openapi_schema
