"""From bytes to facts: true format, size, frames, transparency, perceptual hash; with guards before any pixel."""

import logging
import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

import imagehash
import numpy as np
from PIL import Image, ImageFile, ImageOps

from kg_pipeline.config import Limits
from kg_pipeline.images.errors import SkippedError, UnreadableError
from kg_pipeline.images.formats import RASTER_FORMATS, SVG, describe_content, image_format
from kg_pipeline.images.svg import parse_svg, svg_size

# What Pillow's decoders let through for damaged files, found by cutting and flipping bytes of every format.
DECODING_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
HASH_SIDE = 16
WHITE = (255, 255, 255, 255)

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


def as_seen(data: bytes, limits: Limits, longest_side: int) -> Image.Image:
    """The picture as a person sees it: middle frame, upright, on white, no side longer than `longest_side` pixels.

    Raises UnreadableError, SkippedError.
    """
    image = open_raster(data, limits)
    try:
        image.seek(getattr(image, "n_frames", 1) // 2)
        picture = on_white(ImageOps.exif_transpose(image))
        picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    except DECODING_ERRORS as error:
        raise UnreadableError(f"broken {image.format}: {error}") from error
    return picture


def on_white(image: Image.Image) -> Image.Image:
    """`image` as RGB; what is transparent becomes white, as on a page."""
    if image.mode in ("I", "F"):
        # Values beyond 255 would all turn white in Pillow's own conversion.
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, spread = values.min(), np.ptp(values)
        return Image.fromarray(((values - low) * (255 / spread if spread else 0)).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, WHITE), picture).convert("RGB")


def _examine_raster(data: bytes, limits: Limits) -> Picture:
    image = open_raster(data, limits)
    format_ = image.format or ""
    try:
        image.load()
        has_alpha = image.has_transparency_data and _lowest_alpha(image) < 255
        picture = on_white(image) if has_alpha or image.mode not in ("L", "RGB") else image
        perceptual_hash = str(imagehash.dhash(picture, hash_size=HASH_SIDE))
        # A difference hash of one colour is zero: all other pictures are spared the look at every pixel.
        one_colour = not perceptual_hash.strip("0") and _is_one_colour(picture)
        frames = getattr(image, "n_frames", 1)
    except Image.DecompressionBombError as error:
        raise SkippedError(f"refused by Pillow: {error}") from error
    except DECODING_ERRORS as error:
        raise UnreadableError(f"broken {format_}: {error}") from error
    return Picture(image.width, image.height, format_, frames, has_alpha, perceptual_hash, one_colour)


def _is_one_colour(picture: Image.Image) -> bool:
    extrema = picture.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands)


def _lowest_alpha(image: Image.Image) -> int:
    alpha = image.getchannel("A") if "A" in image.getbands() else image.convert("RGBA").getchannel("A")
    return next(value for value, count in enumerate(alpha.histogram()) if count)
