"""The pictures of a PDF page: embedded ones as they are, drawings of lines and curves rendered, scans recognised."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO

import numpy as np
import pypdfium2 as pdfium
from PIL import Image
from pypdfium2 import raw

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.pdf_drawings import drawings_of
from kg_pipeline.documents.containers.pdf_text import Line

RENDERED_DPI = 150
LONGEST_SIDE = 3000
"""Pixels that a rendered region is never larger than."""
SCAN_SHARE = 0.6
"""Share of a page that a picture covers when the page is a scan."""
SCAN_CHARACTERS = 16
"""A page with fewer characters of text has none."""
NESTED = 8
"""Forms in forms that pictures are looked for in."""


@dataclass(frozen=True)
class PagePicture:
    """A picture and its box on the page, in points from the page's lower left corner."""

    data: bytes
    suffix: str
    left: float
    bottom: float
    right: float
    top: float
    is_scan: bool = False
    is_drawing: bool = False
    alt: str | None = None

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return (self.bottom + self.top) / 2


Box = tuple[float, float, float, float]


def pictures_of(page: pdfium.PdfPage, lines: list[Line], limits: Limits) -> list[PagePicture]:
    """The pictures of a page, embedded ones in the order they are drawn, then its drawings from the top down."""
    found = list(_embedded(page, limits))
    has_text = sum(len(line.text.strip()) for line in lines) >= SCAN_CHARACTERS
    width, height = page.get_size()
    if not has_text:
        return _scanned(page, found, width * height)
    boxes = [(picture.left, picture.bottom, picture.right, picture.top) for picture in found]
    drawings = (_rendered(page, box) for box in drawings_of(page, lines, boxes))
    return [*found, *(replace(drawing, is_drawing=True) for drawing in drawings)]


def _scanned(page: pdfium.PdfPage, found: list[PagePicture], area: float) -> list[PagePicture]:
    """A page without text: its one picture if that covers it, else the page as it looks, is what OCR reads."""
    covering = [
        picture
        for picture in found
        if (picture.right - picture.left) * (picture.top - picture.bottom) >= SCAN_SHARE * area
    ]
    if len(covering) == 1:
        return [
            PagePicture(p.data, p.suffix, p.left, p.bottom, p.right, p.top, is_scan=p is covering[0]) for p in found
        ]
    drawn = next(page.get_objects(max_depth=1), None)
    if drawn is None or (found and not covering):
        return found
    width, height = page.get_size()
    whole = _rendered(page, (0, 0, width, height))
    scan = PagePicture(whole.data, whole.suffix, 0, 0, width, height, is_scan=True)
    return [*found, scan]


def _embedded(page: pdfium.PdfPage, limits: Limits) -> Iterator[PagePicture]:
    known: dict[str, tuple[bytes, str]] = {}
    for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=NESTED):
        try:
            width, height = image.get_px_size()
            if not width or not height or width * height > limits.image_pixels:
                continue
            key = f"{sha256(bytes(image.get_data())).hexdigest()} {width} {height} {image.get_filters()}"
            if key not in known:
                known[key] = _extracted(image)
            data, suffix = known[key]
            left, bottom, right, top = _bounds(image)
        except (pdfium.PdfiumError, OSError, ValueError, ZeroDivisionError):
            continue  # a picture that PDFium cannot draw is not on the page
        yield PagePicture(data, suffix, left, bottom, right, top)


def _bounds(image: pdfium.PdfObject) -> Box:
    """Box on the page; PDFium gives it in the coordinates of the form that the picture is in."""
    box: Box = image.get_bounds()
    form = image.container
    while form is not None:
        box = form.get_matrix().on_rect(*box)
        form = form.container
    return box


def _extracted(image: pdfium.PdfImage) -> tuple[bytes, str]:
    """Bytes and suffix: a JPEG as it is stored, anything else as PNG, what is masked out white."""
    if image.get_filters(skip_simple=True) == ["DCTDecode"] and not _is_masked(image):
        data = bytes(image.get_data(decode_simple=True))
        if data.startswith(b"\xff\xd8\xff"):
            return data, ".jpg"
    try:
        bitmap = image.get_bitmap(render=True, scale_to_original=True)
    except pdfium.PdfiumError:
        bitmap = image.get_bitmap(render=False)
    return _png(bitmap.to_pil()), ".png"


def _is_masked(image: pdfium.PdfImage) -> bool:
    """Whether a part of the picture is not drawn. Asked of its rendering at the page's own size, which is small."""
    try:
        picture = image.get_bitmap(render=True, scale_to_original=False).to_pil()
    except pdfium.PdfiumError:
        return False
    if picture.mode != "RGBA" or min(picture.size) < 5:
        return False
    # The outermost pixels are half covered when the picture does not end on a pixel's edge.
    alpha = np.asarray(picture.getchannel("A"))[2:-2, 2:-2]
    return bool((alpha < 128).mean() > 0.002)


def _rendered(page: pdfium.PdfPage, box: Box) -> PagePicture:
    left, bottom, right, top = box
    width, height = page.get_size()
    scale = min(RENDERED_DPI / 72, LONGEST_SIDE / max(right - left, top - bottom, 1))
    crop = (max(left, 0), max(bottom, 0), max(width - right, 0), max(height - top, 0))
    picture = page.render(scale=scale, crop=crop, may_draw_forms=False).to_pil()
    return PagePicture(_png(picture), ".png", left, bottom, right, top)


def _png(picture: Image.Image) -> bytes:
    if picture.mode in ("RGBA", "RGBX", "LA"):
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
