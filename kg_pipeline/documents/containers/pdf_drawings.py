"""Figures that a PDF page draws with lines and curves: where they are."""

from ctypes import c_float

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw
from scipy import ndimage

from kg_pipeline.documents.containers.pdf_text import Line

CELL = 6.0
"""Points: paths nearer to each other than this belong to one drawing."""
LEAST_PATHS = 10
LEAST_SLANTED = 6
"""Curves and slanted lines that tell a drawing from a table, whose lines are all level or upright."""
COUNTED_SEGMENTS = 100
"""Segments of one path that are looked at."""
LEAST_SIDE = 60.0
BACKGROUND_SHARE = 0.7
"""Share of the page from which one path is ground, not figure."""
MOST_PATHS = 200_000
"""A page with more (a map) is one drawing, and its paths are not looked at one by one."""
LARGEST_SIDE = 20_000.0
"""Points: a page may say that it is kilometres wide. Beyond 14,400 Acrobat shows none."""
TEXT_SHARE = 0.5
"""A region with more of it covered by lines of text is text in frames."""

Box = tuple[float, float, float, float]


def drawings_of(page: pdfium.PdfPage, lines: list[Line], pictures: list[Box]) -> list[Box]:
    """Boxes of the page's drawings, from the top down; none that a picture of `pictures` lies in or covers."""
    width, height = page.get_size()
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        return []
    boxes, slanted = _paths(page, width * height)
    if len(boxes) < LEAST_PATHS:
        return []
    grid = np.zeros((int(height / CELL) + 2, int(width / CELL) + 2), dtype=bool)
    rows, columns = grid.shape
    cells = [_cells(box, rows, columns) for box in boxes]
    for top, bottom, left, right in cells:
        grid[top:bottom, left:right] = True
    regions, count = ndimage.label(grid, structure=np.ones((3, 3)))
    if not count:
        return []
    paths, curved = np.zeros(count + 1, int), np.zeros(count + 1, int)
    extents: dict[int, Box] = {}
    for box, slants, (top, _, left, _) in zip(boxes, slanted, cells, strict=True):
        region = int(regions[top, left])
        paths[region] += 1
        curved[region] += slants
        extents[region] = _union(extents.get(region, box), box)
    found = [
        _padded(extents[region], width, height)
        for region in sorted(extents)
        if paths[region] >= LEAST_PATHS and curved[region] >= LEAST_SLANTED and _is_large(extents[region])
    ]
    found = [box for box in found if not any(_overlap(box, other) > 0.3 for other in pictures)]
    return sorted((box for box in found if _text_share(box, lines) < TEXT_SHARE), key=lambda box: (-box[3], box[0]))


def _paths(page: pdfium.PdfPage, area: float) -> tuple[list[Box], list[int]]:
    boxes: list[Box] = []
    slanted: list[int] = []
    for path in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=4):
        try:
            box: Box = path.get_bounds()
            form = path.container
            while form is not None:
                box = form.get_matrix().on_rect(*box)
                form = form.container
        except pdfium.PdfiumError:
            continue
        if not all(np.isfinite(box)) or (box[2] - box[0]) * (box[3] - box[1]) > BACKGROUND_SHARE * area:
            continue
        boxes.append(box)
        slanted.append(_slanted(path))
        if len(boxes) >= MOST_PATHS:
            break
    return boxes, slanted


def _slanted(path: pdfium.PdfObject) -> int:
    """Curves of a path, and its lines that are neither level nor upright; no more are counted than make a drawing."""
    found = 0
    last: tuple[float, float] | None = None
    x, y = c_float(), c_float()
    for index in range(min(raw.FPDFPath_CountSegments(path), COUNTED_SEGMENTS)):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        if not raw.FPDFPathSegment_GetPoint(segment, x, y):
            continue
        point = (x.value, y.value)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_BEZIERTO:
            found += 1
        elif kind == raw.FPDF_SEGMENT_LINETO and last:
            found += abs(point[0] - last[0]) > 0.5 and abs(point[1] - last[1]) > 0.5
        if found >= LEAST_SLANTED:
            return found
        last = point
    return found


def _cells(box: Box, rows: int, columns: int) -> tuple[int, int, int, int]:
    left, bottom, right, top = (int(max(value, 0) / CELL) for value in box)
    row, column = min(bottom, rows - 1), min(left, columns - 1)
    return row, max(min(top + 1, rows), row + 1), column, max(min(right + 1, columns), column + 1)


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _padded(box: Box, width: float, height: float) -> Box:
    return max(box[0] - CELL, 0), max(box[1] - CELL, 0), min(box[2] + CELL, width), min(box[3] + CELL, height)


def _is_large(box: Box) -> bool:
    return box[2] - box[0] >= LEAST_SIDE and box[3] - box[1] >= LEAST_SIDE


def _overlap(one: Box, other: Box) -> float:
    """Share of the smaller box that lies in the other."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / smaller if smaller else 1.0


def _text_share(box: Box, lines: list[Line]) -> float:
    area = (box[2] - box[0]) * (box[3] - box[1])
    covered = 0.0
    for line in lines:
        width = min(line.right, box[2]) - max(line.left, box[0])
        height = min(line.top, box[3]) - max(line.bottom, box[1])
        covered += max(width, 0) * max(height, 0)
    return covered / area if area else 1.0
