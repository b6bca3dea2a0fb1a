"""The lines of a PDF page, with their place and size."""

import ctypes
import math
import re
from dataclasses import dataclass

import pypdfium2 as pdfium
from pypdfium2 import raw

# Control characters; also what PDFium writes for a hyphen at the end of a line, having put the word together.
_UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufeff\ufffe\uffff]")
DEFAULT_SIZE = 10.0


@dataclass(frozen=True)
class Line:
    """A line of text and its box on the page, in points from the page's lower left corner; size of its letters."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float


def lines_of(page: pdfium.PdfPage) -> list[Line]:
    """The lines of a page in the order they are written; where a hyphen cuts a word in two, two lines are one."""
    try:
        textpage = page.get_textpage()
    except pdfium.PdfiumError:
        return []
    try:
        return _lines(textpage)
    finally:
        textpage.close()


def _lines(textpage: pdfium.PdfTextPage) -> list[Line]:
    count = textpage.count_chars()
    if count <= 0:
        return []
    # UTF-16 units, so that offsets are those that PDFium counts.
    buffer = ctypes.create_string_buffer((count * 2 + 1) * 2)
    written = raw.FPDFText_GetText(textpage, 0, count, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)))
    units = buffer.raw[: max(written - 1, 0) * 2]
    found: list[Line] = []
    offset = 0
    for piece in units.decode("utf-16-le", errors="replace").split("\n"):
        length = len(piece) if piece.isascii() else len(piece.encode("utf-16-le", errors="replace")) // 2
        if piece.strip():
            found.append(_line(textpage, piece.rstrip("\r"), offset))
        offset += length + 1
    return [line for line in found if line.text.strip()]


def _line(textpage: pdfium.PdfTextPage, text: str, offset: int) -> Line:
    first = raw.FPDFText_GetCharIndexFromTextIndex(textpage, offset + len(text) - len(text.lstrip()))
    last = raw.FPDFText_GetCharIndexFromTextIndex(textpage, offset + max(len(text.rstrip()) - 1, 0))
    left, bottom, right, top = _box(textpage, max(first, 0))
    if last > first:
        last_left, last_bottom, last_right, last_top = _box(textpage, last)
        left, right = min(left, last_left), max(right, last_right)
        bottom, top = min(bottom, last_bottom), max(top, last_top)
    clean = text if text.isprintable() else _UNWANTED.sub("", text)
    return Line(clean.rstrip(), left, bottom, right, top, _size(textpage, max(first, 0)))


def _box(textpage: pdfium.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    rect = raw.FS_RECTF()
    # The loose box is as high as the font, whatever the letter: lines of one size have boxes of one height.
    if not raw.FPDFText_GetLooseCharBox(textpage, index, rect):
        return 0.0, 0.0, 0.0, 0.0
    return rect.left, rect.bottom, rect.right, rect.top


def _size(textpage: pdfium.PdfTextPage, index: int) -> float:
    size = raw.FPDFText_GetFontSize(textpage, index)
    matrix = raw.FS_MATRIX()
    if raw.FPDFText_GetMatrix(textpage, index, matrix):
        size *= math.hypot(matrix.c, matrix.d)
    return size if 0 < size < 2000 else DEFAULT_SIZE
