"""GET /api/collections…: pictures, passages and orphans, a page at a time, and each with its evidence."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from kg_pipeline.orphans import incomplete_sources
from kg_pipeline.serving.browsing import (
    ORPHAN_REASONS,
    Filters,
    orphans_page,
    passages_page,
    pictures_page,
    search_passages,
)
from kg_pipeline.serving.catalogue import Catalogue
from kg_pipeline.serving.details import orphan_rows, passage_details, passage_rows, picture_details, picture_rows
from kg_pipeline.serving.errors import NotFoundError
from kg_pipeline.serving.services import Services

MOST_ROWS = 200

CollectionName = Annotated[str, Path(max_length=200)]
Search = Annotated[str, Query(max_length=500, description="words that all stand in paths or texts")]
Share = Annotated[float, Query(ge=0, le=1)]
Offset = Annotated[int, Query(ge=0, le=100_000_000)]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
Reason = Annotated[str | None, Query(max_length=200, description="what speaks most for the best pair")]
Order = Literal["strongest", "weakest", "path"]


def router(services: Services) -> APIRouter:
    """GET /api/collections and what is below it."""
    routes = APIRouter(tags=["browse"])
    catalogue = Catalogue(services.store)

    @routes.get("/api/collections", summary="Which collections are there?")
    def collections() -> dict[str, Any]:
        """Names and counts of the collections that were run."""
        return {"collections": [{"name": name, "counts": _counts(catalogue, name)} for name in catalogue.collections()]}

    @routes.get("/api/collections/{collection}/pictures", summary="Pictures, filtered")
    def pictures(
        collection: CollectionName,
        search: Search = "",
        status: Literal["used", "unused", "kept", "not_kept", "decorative", "accepted", "rejected"] | None = None,
        reason: Reason = None,
        min_confidence: Share = 0.0,
        max_confidence: Share = 1.0,
        order: Order = "strongest",
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """A page of pictures, each with its best passage."""
        filters = Filters(search, min_confidence, max_confidence, reason, status, order)
        found = pictures_page(catalogue.pictures(catalogue.check(collection)), filters, offset, limit)
        rows = picture_rows(catalogue, collection, found.rows)
        return {"total": found.total, "offset": offset, "rows": rows}

    @routes.get("/api/collections/{collection}/pictures/{image_id}", summary="A picture with its passages")
    def picture(collection: CollectionName, image_id: str) -> dict[str, Any]:
        """A picture with the passages and concepts that it may show: scores, confidence, margins, contributions."""
        found = picture_details(catalogue, catalogue.check(collection), image_id)
        if found is None:
            raise NotFoundError("the collection has no picture of this id")
        return found

    @routes.get("/api/collections/{collection}/passages", summary="Passages, filtered")
    def passages(
        collection: CollectionName,
        search: Search = "",
        status: Literal["illustrated", "gap", "kept", "not_kept", "accepted", "rejected"] | None = None,
        reason: Reason = None,
        min_confidence: Share = 0.0,
        max_confidence: Share = 1.0,
        order: Order = "strongest",
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """A page of passages, each with its best picture."""
        filters = Filters(search, min_confidence, max_confidence, reason, status, order)
        index = catalogue.passages(catalogue.check(collection))
        found = (
            search_passages(catalogue.rows(collection, "chunks"), catalogue.table(collection, "documents"), words)
            if (words := filters.words)
            else None
        )
        page = passages_page(index, found, filters, offset, limit)
        return {"total": page.total, "offset": offset, "rows": passage_rows(catalogue, collection, page.rows)}

    @routes.get("/api/collections/{collection}/passages/{chunk_id}", summary="A passage with its pictures")
    def passage(collection: CollectionName, chunk_id: str) -> dict[str, Any]:
        """A passage with the pictures that its document shows there and those that fit it."""
        found = passage_details(catalogue, catalogue.check(collection), chunk_id)
        if found is None:
            raise NotFoundError("the collection has no passage of this id")
        return found

    @routes.get("/api/collections/{collection}/orphans", summary="The orphan report, to work through")
    def orphans(
        collection: CollectionName,
        search: Search = "",
        status: Literal["open", "judged", "accepted", "rejected"] | None = None,
        reason: Literal["unreferenced_matched", "unmatched", "duplicate", "decorative", "unreadable"] | None = None,
        min_confidence: Share = 0.0,
        max_confidence: Share = 1.0,
        offset: Offset = 0,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """A page of the queue, and how much of all of it is judged."""
        queue = catalogue.orphans(catalogue.check(collection))
        filters = Filters(search, min_confidence, max_confidence, reason, status)
        page = orphans_page(queue, filters, offset, limit)
        decidable = queue.filter("decidable")
        reasons = {name: queue.filter(reason=name).height for name in ORPHAN_REASONS}
        counts = {
            "all": queue.height,
            "decidable": decidable.height,
            "judged": decidable["verdict"].count(),
            "reasons": reasons,
        }
        incomplete = incomplete_sources(
            catalogue.table(collection, "documents"), catalogue.table(collection, "image_files")
        )
        return {
            "total": page.total,
            "offset": offset,
            "counts": counts,
            "incomplete": incomplete[:20],
            "incomplete_count": len(incomplete),
            "rows": orphan_rows(catalogue, collection, page.rows),
        }

    return routes


def _counts(catalogue: Catalogue, name: str) -> dict[str, int]:
    return {table: catalogue.count(name, table) for table in ("images", "chunks", "orphan_images")}
