"""From bytes to facts: true format, size, frames, transparency, perceptual hash; with guards before any pixel."""

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import imagehash
from PIL import Image, ImageFile

from kg_pipeline.config import Limits
from kg_pipeline.images.colours import as_rgb
from kg_pipeline.images.errors import DECODING_ERRORS, SkippedError, UnreadableError
from kg_pipeline.images.formats import RASTER_FORMATS, SVG, describe_content, image_format
from kg_pipeline.images.frames import frame_that_says_most, pages
from kg_pipeline.images.svg import parse_svg, svg_size

HASH_SIDE = 16
ORIENTATION = 0x0112

# Pillow writes every EXIF tag it meets to its log at DEBUG level, positions included.
logging.getLogger("PIL").setLevel(logging.INFO)


@dataclass(frozen=True)
class Picture:
    """What is known of an image's content. Sizes in pixels, of the picture as stored."""

    width: int | None
    height: int | None
    format: str
    frames: int
    has_alpha: bool | None
    """Whether any pixel of the first frame lets the ground through; None for SVG, which is not drawn."""
    perceptual_hash: str | None
    one_colour: bool


def examine(data: bytes, limits: Limits) -> Picture:
    """Decode the first frame and describe the picture. Raises UnreadableError, SkippedError."""
    if not data:
        raise UnreadableError("the file is empty")
    format_ = image_format(data)
    if format_ is None:
        raise UnreadableError(f"not an image: {describe_content(data)}")
    if format_ == SVG:
        width, height = svg_size(parse_svg(data))
        return Picture(width, height, SVG, 1, None, None, False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of is either refused here or does not matter
        return _examine_raster(data, limits)


def open_raster(data: bytes, limits: Limits) -> ImageFile.ImageFile:
    """The picture with its header read and nothing decoded. Raises UnreadableError, SkippedError."""
    format_ = image_format(data)
    if format_ is None or format_ == SVG:
        raise UnreadableError(f"not a picture of pixels: {format_ or describe_content(data)}")
    try:
        image = RASTER_FORMATS[format_].reader(BytesIO(data))
    except Image.DecompressionBombError as error:
        raise SkippedError(f"refused by Pillow: {error}") from error
    except DECODING_ERRORS as error:
        raise UnreadableError(f"broken {format_}: {error}") from error
    width, height = image.size
    if width * height > limits.image_pixels:
        raise SkippedError(f"{width} x {height} pixels, more than {limits.image_pixels} (limits.image_pixels)")
    return image


def as_seen(data: bytes, limits: Limits, longest_side: int | None = None) -> Image.Image:
    """The picture as a person sees it: RGB in sRGB colours, upright, opaque, no side longer than `longest_side` pixels.

    Everything that looks at pixels takes them from here or from `seen`. Raises UnreadableError, SkippedError.
    """
    return seen(open_raster(data, limits), limits, longest_side)


def seen(image: ImageFile.ImageFile, limits: Limits, longest_side: int | None = None) -> Image.Image:
    """`as_seen` of a picture that is open already."""
    try:
        return _finished(frame_that_says_most(image, limits), longest_side)
    except DECODING_ERRORS as error:
        raise UnreadableError(f"broken {image.format}: {error}") from error


def pages_as_seen(data: bytes, limits: Limits, longest_side: int) -> Iterator[Image.Image]:
    """Every page of a TIFF as a person sees it; of all else the one picture. Raises UnreadableError, SkippedError."""
    image = open_raster(data, limits)
    if image.format != "TIFF":
        yield seen(image, limits, longest_side)
        return
    try:
        for page in pages(image, limits):
            yield _finished(page, longest_side)
    except DECODING_ERRORS as error:
        raise UnreadableError(f"broken {image.format}: {error}") from error


def is_seen_as_stored(image: ImageFile.ImageFile) -> bool:
    """Whether any viewer shows the opened picture as `as_seen` does: still, upright, opaque, of plain colours."""
    try:
        still = getattr(image, "n_frames", 1) == 1 and image.getexif().get(ORIENTATION, 1) == 1
    except DECODING_ERRORS:
        return False
    plain = image.mode in ("L", "RGB", "P") and not image.info.get("icc_profile")
    return still and plain and not image.has_transparency_data


def _finished(frame: Image.Image, longest_side: int | None) -> Image.Image:
    picture = as_rgb(frame)
    if longest_side is not None:
        picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return picture


def _examine_raster(data: bytes, limits: Limits) -> Picture:
    image = open_raster(data, limits)
    format_ = image.format or ""
    try:
        image.load()
        frames = getattr(image, "n_frames", 1)
        has_alpha = image.has_transparency_data and _lowest_alpha(image) < 255
        size = image.size
        perceptual_hash, one_colour = _looks(as_rgb(image) if has_alpha or image.mode not in ("L", "RGB") else image)
        if one_colour and frames > 1:  # it fades in, or is a scan with a blank first page
            perceptual_hash, one_colour = _looks(as_rgb(frame_that_says_most(image, limits)))
    except Image.DecompressionBombError as error:
        raise SkippedError(f"refused by Pillow: {error}") from error
    except DECODING_ERRORS as error:
        raise UnreadableError(f"broken {format_}: {error}") from error
    return Picture(*size, format_, frames, has_alpha, perceptual_hash, one_colour)


def _looks(picture: Image.Image) -> tuple[str, bool]:
    """Perceptual hash, and whether all is of one colour."""
    perceptual_hash = str(imagehash.dhash(picture, hash_size=HASH_SIDE))
    # A difference hash of one colour is zero: all other pictures are spared the look at every pixel.
    return perceptual_hash, not perceptual_hash.strip("0") and _is_one_colour(picture)


def _is_one_colour(picture: Image.Image) -> bool:
    extrema = picture.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands)


def _lowest_alpha(image: Image.Image) -> int:
    alpha = image.getchannel("A") if "A" in image.getbands() else image.convert("RGBA").getchannel("A")
    return next(value for value, count in enumerate(alpha.histogram()) if count)
