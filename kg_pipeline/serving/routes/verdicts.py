"""POST and DELETE /api/collections/…/verdicts: what a person says of a pair, as `kg-pipeline review` takes it."""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from kg_pipeline.serving.catalogue import Catalogue
from kg_pipeline.serving.errors import ConflictError, NotFoundError
from kg_pipeline.serving.services import Services
from kg_pipeline.storage import StorageError
from kg_pipeline.verdicts import Review, VerdictError, clear_verdict, give_verdict

UNKNOWN_PERSON = "page"
NOT_WRITTEN = "the verdict was not written: the collection was never run to its end, or another process holds its table"

Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]


class VerdictRequest(BaseModel):
    """Whether the picture shows the text."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"title": "VerdictRequest"})

    image_id: Id
    text_id: Id = Field(description="chunk_id or concept_id")
    verdict: Literal["accepted", "rejected"]
    by: Name | None = Field(None, description="who says so; the login name of the server's user by default")


def router(services: Services) -> APIRouter:
    """What the page writes. The next run brings it to the graph."""
    routes = APIRouter(tags=["verdicts"])
    catalogue = Catalogue(services.store)

    @routes.post("/api/collections/{collection}/verdicts", summary="Accept or reject a pair")
    def give(collection: str, body: VerdictRequest) -> dict[str, Any]:
        """Replaces what was said of the pair before, and says what that was."""
        catalogue.check(collection)
        try:
            review = give_verdict(
                services.store,
                collection,
                body.image_id,
                body.text_id,
                body.verdict,
                body.by or _login(),
                datetime.now(UTC),
            )
        except VerdictError as error:
            raise NotFoundError(str(error)) from error
        except StorageError as error:
            raise ConflictError(NOT_WRITTEN) from error
        return _told(review)

    @routes.delete("/api/collections/{collection}/verdicts/{image_id}/{text_id}", summary="Take a verdict back")
    def clear(collection: str, image_id: str, text_id: str) -> dict[str, Any]:
        """The pair's score decides again."""
        catalogue.check(collection)
        try:
            return _told(clear_verdict(services.store, collection, image_id, text_id))
        except VerdictError as error:
            raise NotFoundError(str(error)) from error
        except StorageError as error:
            raise ConflictError(NOT_WRITTEN) from error

    return routes


def _told(review: Review) -> dict[str, Any]:
    before = [{"verdict": verdict, "by": by} for verdict, by in review.before]
    return {"image": review.image, "text": review.text, "before": before}


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container's user may have no name; a verdict needs one.
        return UNKNOWN_PERSON
