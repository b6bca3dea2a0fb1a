"""Drawings of Windows (EMF, WMF), which Office files hold: rendered to pixels."""

from io import BytesIO
from typing import BinaryIO

from PIL import PngImagePlugin

DPI = 150
"""As drawings of a PDF are rendered. The library makes large ones smaller: at most 8,192 pixels a side, 16 million."""


class MetafileImage(PngImagePlugin.PngImageFile):
    """A drawing as the picture that it was rendered to."""

    format = "EMF or WMF"


def rendered(file: BinaryIO) -> MetafileImage:
    """The drawing on its ground. Raises ValueError for one that is damaged, or too much work (a fixed budget)."""
    from metafile_render import render_metafile

    # Windows' own renderer would be taken there; this one sees the same everywhere, but for the fonts it finds.
    drawing = render_metafile(file.read(), dpi=DPI, backend="replay")
    image = MetafileImage(BytesIO(drawing.data))
    image.format = drawing.source_format.upper()
    return image
