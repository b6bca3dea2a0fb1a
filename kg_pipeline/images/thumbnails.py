"""Small pictures as data: addresses, for pages and run metadata that must stand alone."""

import re
from base64 import b64encode
from io import BytesIO

from lxml import etree

from kg_pipeline.config import Limits
from kg_pipeline.images.addresses import open_image_bytes
from kg_pipeline.images.decoding import open_raster, seen
from kg_pipeline.images.errors import DECODING_ERRORS, ImageError
from kg_pipeline.images.formats import SVG, image_format
from kg_pipeline.images.svg import parse_svg

SVG_BYTES = 64_000
WEBP_QUALITY = 75
ACTIVE_ELEMENTS = frozenset({"script", "foreignObject", "iframe", "embed", "object", "audio", "video", "handler"})
ANIMATIONS = frozenset({"set", "animate", "animateTransform", "animateMotion"})
OWN_TARGET = re.compile(r"\s*(#|data:image/(png|jpeg|gif|webp)[;,]|$)", re.I)
FOREIGN_STYLE = re.compile(r"@import|@font-face|\\|expression|javascript:|url\(\s*['\"]?\s*(?!#|['\"#\s])", re.I)


def thumbnail(uri: str, limits: Limits, longest_side: int) -> str | None:
    """A data: address of the picture, no side longer than `longest_side` pixels; None when it cannot be shown.

    Pictures of pixels become WebP. An SVG is given as it is when it is small and neither runs nor loads anything.
    """
    try:
        data = open_image_bytes(uri, limits)
        if image_format(data) == SVG:
            return _data_uri("image/svg+xml", data) if len(data) <= SVG_BYTES and is_self_contained(data) else None
        return _data_uri("image/webp", shrunk(data, limits, longest_side))
    except ImageError:
        # The reason stands in image_files, from the inventory.
        return None


def is_self_contained(data: bytes) -> bool:
    """Whether an SVG has no script, no event handler, and no reference but into itself. Raises ImageError."""
    root = parse_svg(data)
    if root.getroottree().docinfo.internalDTD is not None:
        return False
    if any(isinstance(node, etree._ProcessingInstruction) for node in _all(root)):
        return False
    return all(_is_passive(element) for element in root.iter() if isinstance(element.tag, str))


def _all(root: etree._Element) -> list[object]:
    return [*root.itersiblings(preceding=True), *root.itersiblings(), *root.iter()]


def _is_passive(element: etree._Element) -> bool:
    name = etree.QName(element).localname
    if name in ACTIVE_ELEMENTS or (name == "style" and FOREIGN_STYLE.search("".join(map(str, element.itertext())))):
        return False
    for key, value in element.attrib.items():
        attribute = etree.QName(key).localname.lower()
        if attribute.startswith("on") or FOREIGN_STYLE.search(str(value)):
            return False
        if attribute in ("href", "src") and not OWN_TARGET.match(str(value)):
            return False
        if name in ANIMATIONS and attribute == "attributename" and "href" in str(value).lower():
            return False
    return True


def shrunk(data: bytes, limits: Limits, longest_side: int) -> bytes:
    """WebP of a picture of pixels, no side longer than `longest_side`. Raises ImageError."""
    image = open_raster(data, limits)
    try:
        image.draft("RGB", (longest_side, longest_side))  # lets the JPEG decoder leave out what is not needed
        packed = BytesIO()
        picture = seen(image, limits, longest_side)
        picture.save(packed, "WEBP", quality=WEBP_QUALITY, method=4, exif=b"", icc_profile=b"")
    except DECODING_ERRORS as error:
        raise ImageError(f"cannot be made small: {error}") from error
    return packed.getvalue()


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"
