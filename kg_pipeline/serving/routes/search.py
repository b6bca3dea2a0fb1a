"""POST /api/search: passages with their pictures."""

import logging
import time
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from kg_pipeline.config import ConfigError
from kg_pipeline.embedding import EmbeddingError
from kg_pipeline.graph import GraphError
from kg_pipeline.retrieval import DEFAULT_WEIGHT, FORMULA, TOP, By, Hit, RetrievalError
from kg_pipeline.serving.errors import RefusedError, UnavailableError
from kg_pipeline.serving.schemas import EXAMPLE_QUERY
from kg_pipeline.serving.services import Services
from kg_pipeline.serving.waiting import while_connected

MOST_HITS, MOST_COLLECTIONS, LONGEST_QUERY, MOST_WEIGHT = 100, 100, 4_000, 100.0

_log = logging.getLogger(__name__)


class SearchRequest(BaseModel):
    """A question; only `query` is needed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"query": EXAMPLE_QUERY, "top": 5, "weight": 0.3}]}
    )

    query: str = Field(min_length=1, max_length=LONGEST_QUERY, description="words or a question")
    collections: list[Annotated[str, Field(max_length=64)]] | None = Field(
        None, min_length=1, max_length=MOST_COLLECTIONS, description="where to search; everywhere when left out"
    )
    top: int = Field(TOP, ge=1, le=MOST_HITS, description="number of passages")
    weight: float = Field(
        DEFAULT_WEIGHT,
        ge=0,
        le=MOST_WEIGHT,
        allow_inf_nan=False,
        description="how much pictures count; 0 not at all",
    )
    by: By | None = Field(None, description="full text, vectors or both; the best there is when left out")


class SearchAnswer(BaseModel):
    """Passages, best first."""

    query: str
    weight: float
    formula: str = Field(description="how relevance, pictures and weight make the score")
    results: list[Hit]
    total_time_ms: int


def router(services: Services) -> APIRouter:
    """POST /api/search."""
    routes = APIRouter(tags=["search"])

    @routes.post("/api/search", summary="Passages with their pictures")
    async def search(request: Request, body: SearchRequest) -> SearchAnswer:
        """Passages that answer the query, those with strong visual evidence preferred, each with its pictures."""
        started = time.monotonic()

        def found() -> list[Hit]:
            return services.library.search(body.query, body.collections, top=body.top, weight=body.weight, by=body.by)

        try:
            hits = await while_connected(request, anyio.to_thread.run_sync(found))
        except RetrievalError as error:
            raise RefusedError(str(error)) from error
        except (GraphError, EmbeddingError, ConfigError) as error:
            # Its message names servers and files.
            _log.error("search: %s", error)
            raise UnavailableError(
                "what the search needs cannot be reached or read now; the server's log says more"
            ) from error
        return SearchAnswer(
            query=body.query,
            weight=body.weight,
            formula=FORMULA,
            results=hits,
            total_time_ms=round(1000 * (time.monotonic() - started)),
        )

    return routes
