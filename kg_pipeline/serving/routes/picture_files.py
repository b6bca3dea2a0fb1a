"""GET /api/pictures/…, /api/folders…: pictures by their id or in the image roots, safe for a browser to show."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from kg_pipeline.images import ImageError
from kg_pipeline.serving.errors import NotFoundError
from kg_pipeline.serving.folders import list_folder
from kg_pipeline.serving.pictures import IMAGE_ID, Picture, read_path
from kg_pipeline.serving.renditions import Rendition, small, whole
from kg_pipeline.serving.services import Services

FOR_GOOD = "private, max-age=31536000, immutable"
"""An id is the hash of the bytes: what it names never changes."""
A_WHILE = "private, max-age=60"
INERT = {
    "X-Content-Type-Options": "nosniff",
    # An SVG that somebody opens by its address runs and loads nothing, and has no origin.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Side = Annotated[Literal["160", "480", "1600"], Query(description="longest side in pixels")]
FolderPath = Annotated[str, Query(max_length=4_000, description="as /api/rerank takes it")]


def router(services: Services) -> APIRouter:
    """Pictures by id, folders and their pictures by path."""
    routes = APIRouter(tags=["pictures"])
    settings = services.settings
    limits = settings.limits.of_images

    @routes.get("/api/pictures/{image_id}/thumbnail", summary="A picture, small", response_class=Response)
    def thumbnail(request: Request, image_id: str, side: Side = "160") -> Response:
        """WebP, or an SVG that runs and loads nothing."""
        return by_id(request, image_id, side, lambda data: small(data, int(side), limits))

    @routes.get("/api/pictures/{image_id}/file", summary="A picture as it is", response_class=Response)
    def file(request: Request, image_id: str) -> Response:
        """The bytes of the id; what a browser might run (SVG) or does not know is for saving."""
        return by_id(request, image_id, "file", whole)

    @routes.get("/api/folders", summary="Folders and pictures of the image roots")
    def folders(path: FolderPath = "", deep: bool = False) -> dict[str, Any]:
        """One folder; the pictures of all below it too when `deep`."""
        return asdict(list_folder(path, settings.roots, deep=deep))

    @routes.get("/api/folders/thumbnail", summary="A picture of an image root, small", response_class=Response)
    def folder_thumbnail(path: FolderPath, side: Side = "480") -> Response:
        """WebP, or an SVG that runs and loads nothing. Nothing but pictures is shown, whatever the path."""
        shown = _rendition(read_path(path, settings.roots, limits), lambda data: small(data, int(side), limits))
        return Response(shown.data, media_type=shown.media_type, headers=INERT | {"Cache-Control": A_WHILE})

    def by_id(request: Request, image_id: str, form: str, make: Callable[[bytes], Rendition]) -> Response:
        tag = f'"{image_id}-{form}"'
        if not IMAGE_ID.fullmatch(image_id):
            raise NotFoundError("no collection of this server has an image of this id")
        headers = INERT | {"ETag": tag, "Cache-Control": FOR_GOOD}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        found = services.home_pictures.read(image_id)
        shown = _rendition(found, make)
        name = quote((found.path or image_id).rpartition("/")[2], safe="")
        kind = "inline" if shown.media_type.startswith("image/") else "attachment"
        headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{name}"
        return Response(shown.data, media_type=shown.media_type, headers=headers)

    return routes


def _rendition(picture: Picture, make: Callable[[bytes], Rendition]) -> Rendition:
    if picture.data is None:
        raise NotFoundError(picture.error or "there is no such picture")
    try:
        return make(picture.data)
    except ImageError as error:
        raise NotFoundError(f"the picture cannot be shown: {error}") from error
