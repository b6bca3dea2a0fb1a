"""Which frame of an animation and which pages of a TIFF stand for the picture."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, ImageOps

from kg_pipeline.config import Limits
from kg_pipeline.images.colours import as_rgb
from kg_pipeline.images.errors import DECODING_ERRORS

SAMPLED_FRAMES = 8
FRAME_PIXELS = 200_000_000
"""Pixels unpacked to choose a frame, about 2 s: GIF, WebP and APNG give a frame only after all before it."""
READ_PAGES = 50
"""Pages of a TIFF in which text is read; a fax or a scanned letter has fewer."""
LOOKED_AT_SIDE = 256
EDGE = 16
"""Difference of two neighbours, of 255, that a person sees; grain and dithering shrink to less."""
BLANK = 0.002
"""Share of edges below which a page says nothing: a line of print on A4 has 0.01."""
SUBFILE_TYPE, REDUCED = 254, 1
"""TIFF 6.0, section 8: a page that is a smaller copy of another one."""
# The others begin with their picture: a HEIF file with its primary one, a JPEG with the first.
ANIMATED = frozenset({"PNG", "GIF", "WEBP", "AVIF"})


def frame_that_says_most(image: ImageFile.ImageFile, limits: Limits) -> Image.Image:
    """The frame of an animation with the most edges of up to 8 spread over it; the first TIFF page that is not blank.

    Upright, in its own mode. Of equals the one nearest the middle. An animation that is cut off counts up to the cut.
    Raises one of DECODING_ERRORS when the first frame is broken.
    """
    count = getattr(image, "n_frames", 1)
    if image.format == "TIFF" and count > 1:
        return _first_page_with_content(image, limits)
    if image.format not in ANIMATED or count == 1:
        return ImageOps.exif_transpose(image)
    last = min(count, max(1, FRAME_PIXELS // max(1, image.width * image.height))) - 1
    best, most = None, (-1.0, 0.0)
    for index in sorted({round(last * step / (SAMPLED_FRAMES - 1)) for step in range(SAMPLED_FRAMES)}):
        try:
            image.seek(index)
            frame = ImageOps.exif_transpose(image)
            says = (edge_share(frame), -abs(index - last / 2))
        except DECODING_ERRORS:
            if best is None:
                raise
            break
        if says > most:
            best, most = frame, says
    assert best is not None, "frame 0 is always sampled"
    return best


def pages(image: ImageFile.ImageFile, limits: Limits) -> Iterator[Image.Image]:
    """The pages of a TIFF, upright, without smaller copies and without pages of too many pixels; at most READ_PAGES."""
    for index in range(min(getattr(image, "n_frames", 1), READ_PAGES)):
        image.seek(index)
        copy = index > 0 and int(getattr(image, "tag_v2", {}).get(SUBFILE_TYPE, 0)) & REDUCED
        if not copy and image.width * image.height <= limits.image_pixels:
            yield ImageOps.exif_transpose(image)


def edge_share(frame: Image.Image) -> float:
    """Share of neighbours, left to right and top to bottom, that differ visibly when the frame is made small."""
    grey = as_rgb(frame.reduce(max(1, max(frame.size) // LOOKED_AT_SIDE)) if frame.mode in ("RGB", "L") else frame)
    grey.thumbnail((LOOKED_AT_SIDE, LOOKED_AT_SIDE), Image.Resampling.BOX)
    values = np.asarray(grey.convert("L"), dtype=np.int16)
    edges = sum(int((np.abs(np.diff(values, axis=axis)) > EDGE).sum()) for axis in (0, 1))
    return edges / (2 * values.size)


def _first_page_with_content(image: ImageFile.ImageFile, limits: Limits) -> Image.Image:
    first = None
    try:
        for number, page in enumerate(pages(image, limits)):
            first = first or page
            if edge_share(page) >= BLANK:
                return page
            if number + 1 == SAMPLED_FRAMES:
                break
    except DECODING_ERRORS:
        if first is None:
            raise
    if first is None:
        image.seek(0)
        return ImageOps.exif_transpose(image)
    return first
