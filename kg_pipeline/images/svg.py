"""SVG: safe parsing, size, and the text that is drawn or described in it. Nothing is rendered, run or fetched."""

import re
import zlib
from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from lxml import etree, html

from kg_pipeline.images.errors import UnreadableError

# Pixels per unit, https://www.w3.org/TR/css-values-4/#absolute-lengths; em and ex as browsers take them by default.
UNITS = {"": 1, "px": 1, "pt": 4 / 3, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 9.6 / 2.54, "q": 2.4 / 2.54}
UNITS |= {"em": 16, "ex": 8, "rem": 16}
LENGTH = re.compile(r"\s*\+?(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)
LONGEST_SIDE = 10_000_000
# Adobe Illustrator declares its namespaces as entities of under 100 characters; bombs nest or are long.
ENTITY_CHARACTERS = 1_000
DRAWIO_BYTES = 5_000_000
SILENT_ELEMENTS = frozenset({"style", "script", "metadata"})
TEXT_ELEMENTS = frozenset({"text", "title", "desc"})
# draw.io's fallback for viewers without HTML labels.
NOTICES = frozenset({"Text is not SVG - cannot display", "Viewer does not support full SVG 1.1"})


def parse_svg(data: bytes) -> etree._Element:
    """The root element. Raises UnreadableError for broken markup and for entities that could grow or reach out."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableError(f"broken SVG: {error}") from error
    dtd: Any = root.getroottree().docinfo.internalDTD  # lxml-stubs know nothing of entities
    for entity in dtd.entities() if dtd is not None else ():
        if entity.content is None or "&" in entity.content or len(entity.content) > ENTITY_CHARACTERS:
            raise UnreadableError(f"refused SVG: its entity {entity.name!r} is nested, external or long")
    if _local(root) != "svg":
        raise UnreadableError(f"not an image: markup beginning with <{_local(root)}>")
    return root


def svg_size(root: etree._Element) -> tuple[int | None, int | None]:
    """Width and height in CSS pixels, from the attributes, else the view box; None when neither says."""
    width, height = _length(root.get("width")), _length(root.get("height"))
    box = [_length(part) for part in re.split(r"[\s,]+", (root.get("viewBox") or "").strip())]
    box_width, box_height = (box[2], box[3]) if len(box) == 4 else (None, None)
    if box_width and box_height:
        if width is None and height is None:
            width, height = box_width, box_height
        width = width if width is not None else (height or 0) * box_width / box_height
        height = height if height is not None else width * box_height / box_width
    return _pixels(width), _pixels(height)


def svg_texts(root: etree._Element) -> list[str]:
    """Distinct texts in document order: drawn text, titles, descriptions, labels, labels of a draw.io source."""
    found = dict.fromkeys(text for text in (*_texts(root), *_drawio_texts(root.get("content"))) if text)
    return [text for text in found if text not in NOTICES]


def _texts(element: etree._Element) -> Iterator[str]:
    name = _local(element)
    if name in SILENT_ELEMENTS:
        return
    yield _joined([element.get("aria-label") or ""])
    if name in TEXT_ELEMENTS:
        yield _joined(_pieces(element))
        return
    if name == "foreignObject":
        yield _joined(element.itertext())
        return
    for child in element:
        yield from _texts(child)


def _pieces(element: etree._Element) -> Iterator[str]:
    """Text of an element; a tspan with a position of its own is set apart, for it begins a line or a column."""
    yield element.text or ""
    for child in element:
        if child.get("x") or child.get("y") or child.get("dy"):
            yield " "
        yield from _pieces(child) if isinstance(child.tag, str) else ()
        yield child.tail or ""


def _drawio_texts(content: str | None) -> Iterator[str]:
    """Labels of the diagram that draw.io puts into the `content` attribute of its SVG exports."""
    if not content or "<mxfile" not in content:
        return
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    root = etree.fromstring(content.encode(), parser)
    for diagram in root.iter("diagram") if root is not None else ():
        model = diagram if len(diagram) else etree.fromstring(_inflated(diagram.text or ""), parser)
        for cell in model.iter() if model is not None else ():
            label = cell.get("value") or cell.get("label")
            if label:
                yield _joined(html.fromstring(f"<div>{label}</div>").itertext())


def _inflated(text: str) -> bytes:
    """XML of a diagram that draw.io packed: URL-encoded, deflated, base64; an empty element when it is not that."""
    try:
        packed = zlib.decompressobj(-15).decompress(b64decode(text), DRAWIO_BYTES)
    except (ValueError, zlib.error):
        return b"<empty/>"
    return unquote(packed.decode("utf-8", "replace")).encode() or b"<empty/>"


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _joined(pieces: Iterable[str | bytes]) -> str:
    return " ".join("".join(str(piece) for piece in pieces).split())


def _length(text: str | None) -> float | None:
    match = LENGTH.fullmatch(text or "")
    if match is None or match[2].lower() not in UNITS:
        return None
    return float(match[1]) * UNITS[match[2].lower()]


def _pixels(length: float | None) -> int | None:
    return max(1, round(length)) if length and length < LONGEST_SIDE else None
