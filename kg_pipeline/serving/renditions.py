"""How the bytes of a picture go to a browser: whole under the type they show themselves, or small enough for a page."""

from dataclasses import dataclass

from kg_pipeline.config import Limits
from kg_pipeline.images import ImageError
from kg_pipeline.images.formats import SVG, image_format
from kg_pipeline.images.thumbnails import is_self_contained, shrunk

SIDES = (160, 480, 1600)
"""Longest sides in pixels that a picture is made small to: for lists, cards and a look at the whole."""
SVG_BYTES = 2_000_000
MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
    "JPEG2000": "image/jp2",
    "ICO": "image/vnd.microsoft.icon",
}
"""By the content, never by the name. What is not here, SVG included, is handed out for saving only."""
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True)
class Rendition:
    """Bytes and their media type."""

    data: bytes
    media_type: str


def whole(data: bytes) -> Rendition:
    """The bytes as they are."""
    return Rendition(data, MEDIA_TYPES.get(image_format(data) or "", UNKNOWN))


def small(data: bytes, side: int, limits: Limits) -> Rendition:
    """WebP, no side longer than `side` pixels; an SVG that neither runs nor loads anything as it is.

    Raises ImageError for what cannot be decoded, and for any other SVG.
    """
    if image_format(data) != SVG:
        return Rendition(shrunk(data, limits, side), "image/webp")
    if len(data) > SVG_BYTES or not is_self_contained(data):
        raise ImageError("not shown: an SVG that is large, or runs or loads something")
    return Rendition(data, "image/svg+xml")
