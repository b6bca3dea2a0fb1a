"""Which files are images: by extension to be listed, by their first bytes to be believed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from kg_pipeline.images.icons import IconFile
from kg_pipeline.images.metafiles import rendered

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg"})
IMAGE_SUFFIXES |= {".apng", ".avif", ".heic", ".heif", ".hif", ".ico", ".jp2", ".j2k", ".jpf", ".jpx"}
IMAGE_SUFFIXES |= {".emf", ".wmf"}
SVG = "SVG"


@dataclass(frozen=True)
class RasterFormat:
    """A format of pixels, or rendered to pixels: how it begins (a pattern), and the Pillow class that reads it."""

    begins: re.Pattern[bytes]
    # Called directly, not through Image.open: open() measures every picture against one limit of the whole process,
    # ours come from the collection. And JpegImageFile keeps to the first picture where open() would make an MPO.
    reader: Callable[..., ImageFile.ImageFile]


def _heif(file: BinaryIO) -> ImageFile.ImageFile:
    from pillow_heif import HeifImageFile

    read: Callable[[BinaryIO], ImageFile.ImageFile] = HeifImageFile
    return read(file)


# ISO/IEC 23008-12: the major brand; a general one (mif1, msf1) is followed by the compatible ones.
AVIF = re.compile(rb".{4}ftyp(avi[fs]|m[is]f1.{4}(.{4}){0,12}?avi[fs])", re.DOTALL)
HEIF = re.compile(rb".{4}ftyp(hei[cxms]|hev[cxms]|m[is]f1)", re.DOTALL)
RASTER_FORMATS = {
    "PNG": RasterFormat(re.compile(rb"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    "JPEG": RasterFormat(re.compile(rb"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    "GIF": RasterFormat(re.compile(rb"GIF8[79]a"), GifImagePlugin.GifImageFile),
    "WEBP": RasterFormat(re.compile(rb"RIFF.{4}WEBP", re.DOTALL), WebPImagePlugin.WebPImageFile),
    "BMP": RasterFormat(re.compile(rb"BM"), BmpImagePlugin.BmpImageFile),
    "TIFF": RasterFormat(re.compile(rb"II\x2a\x00|MM\x00\x2a|II\x2b\x00|MM\x00\x2b"), TiffImagePlugin.TiffImageFile),
    "AVIF": RasterFormat(AVIF, AvifImagePlugin.AvifImageFile),
    "HEIF": RasterFormat(HEIF, _heif),
    "JPEG2000": RasterFormat(
        re.compile(rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"), Jpeg2KImagePlugin.Jpeg2KImageFile
    ),
    "EMF": RasterFormat(re.compile(rb"\x01\x00\x00\x00.{36} EMF", re.DOTALL), rendered),
    "WMF": RasterFormat(re.compile(rb"\xd7\xcd\xc6\x9a|[\x01\x02]\x00\x09\x00\x00[\x01\x03]"), rendered),
    "ICO": RasterFormat(re.compile(rb"\x00\x00\x01\x00"), IconFile),
}

# What files with an image's name turn out to be, so that the report can say it.
OTHER_CONTENTS = (
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer; fetch the file with `git lfs pull`"),
    (re.compile(rb"%PDF"), "PDF"),
    (re.compile(rb"PK\x03\x04"), "a ZIP archive"),
    (re.compile(rb"\x1f\x8b"), "gzip data"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"\x00\x05\x16[\x00\x07]"), "metadata of macOS (AppleDouble)"),
    (re.compile(rb".{4}ftyp", re.DOTALL), "a video"),
    (re.compile(rb"\x00\x00\x00\x0cJXL |\xff\x0a"), "a JPEG XL picture, which is not supported"),
    (re.compile(rb"\x7fELF|MZ"), "a program"),
)

# Adobe Illustrator puts a few kilobytes of entity declarations before the first element.
PROLOG_BYTES = 65_536
COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)
FIRST_ELEMENT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")


def image_format(data: bytes) -> str | None:
    """SVG or a key of RASTER_FORMATS by the first bytes of `data`; None for anything else."""
    for name, known in RASTER_FORMATS.items():
        if known.begins.match(data):
            return name
    return SVG if _first_element(data) == "svg" else None


def describe_content(data: bytes) -> str:
    """A word for what `data` is when it is no image of ours."""
    for begins, name in OTHER_CONTENTS:
        if begins.match(data):
            return name
    element = _first_element(data)
    if element == "html" or re.search(rb"<!doctype html", data[:1024], re.IGNORECASE):
        return "HTML"
    if element:
        return f"markup beginning with <{element}>"
    return "unknown data" if re.search(rb"[\x00-\x08\x0e-\x1f]", data[:1024]) else "text"


def _first_element(data: bytes) -> str | None:
    """Lower-case local name of the first element, when `data` is markup."""
    text = _text(data[:PROLOG_BYTES]).lstrip("\ufeff \t\r\n")
    if not text.startswith("<"):
        return None
    element = FIRST_ELEMENT.search(COMMENT.sub("", text))
    return element[1].lower() if element else None


def _text(data: bytes) -> str:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return data.decode(encoding, "replace")
