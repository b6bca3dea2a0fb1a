"""Reading the text in pictures with RapidOCR, on as many processes as there are cores."""

import logging
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from kg_pipeline.config import Limits
from kg_pipeline.images.addresses import ImageReader
from kg_pipeline.images.decoding import pages_as_seen
from kg_pipeline.images.errors import DECODING_ERRORS, ImageError
from kg_pipeline.images.formats import SVG
from kg_pipeline.images.ocr_cache import RECIPE, RECIPES, Entry, Line, load_entry, store_entry
from kg_pipeline.images.workers import Crash, run

LONGEST_SIDE = 1280
"""Pixels: screenshots keep their smallest print, and no picture takes longer than about 4 s."""
# One thread per process: the processes share the cores, and the result does not hang on the number of threads.
ENGINE = {
    "Global.log_level": "critical",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
FEW = 2
"""Pictures up to which a process of its own (about 2 s to load the models) is not worth it."""

log = logging.getLogger(__name__)


def raster_images(images: pl.DataFrame) -> pl.DataFrame:
    """The rows of `images` that OCR can read: all but drawings."""
    return images.filter(pl.col("format") != SVG)


def ocr_pending(images: pl.DataFrame, cache: Path) -> list[str]:
    """Ids of the pictures that are not in the cache, in order."""
    looks = raster_images(images).select("image_id", (pl.col("frames") > 1) | pl.col("has_alpha").fill_null(False))
    known = {image_id: (RECIPE,) if changed else RECIPES for image_id, changed in looks.iter_rows()}
    return [image_id for image_id, recipes in known.items() if load_entry(cache, image_id, recipes) is None]


def read_pending(addresses: dict[str, str], cache: Path, limits: Limits, workers: int | None = None) -> None:
    """Read the pictures at `addresses` (image id to address) into the cache; warn of those that cannot be read."""
    items = list(addresses.items())
    problems = run(partial(ReadText, cache, limits), items, "reading text in images", workers, batch=1, few=FEW)
    for (image_id, uri), problem in zip(items, problems, strict=True):
        if isinstance(problem, Crash):
            problem = "the process that read it was killed, time after time (out of memory?)"  # noqa: PLW2901
            store_entry(cache, image_id, Entry(_reader_name(), error=problem))
        if problem:
            log.warning("%s: no text read: %s", uri, problem)


class ReadText:
    """Reads the text of one picture after the other into the cache; lives in a worker process."""

    def __init__(self, cache: Path, limits: Limits) -> None:
        self._cache = cache
        self._limits = limits
        self._reader = ImageReader(limits)
        self._engine = _engine()

    def __call__(self, item: tuple[str, str]) -> str | None:
        """Store the lines of a picture given as (image id, address); returns what went wrong, if anything."""
        image_id, uri = item
        try:
            data = self._reader.read(uri)
        except ImageError as error:
            return str(error)  # not stored: the file may be back at the next run
        if sha256(data).hexdigest() != image_id:
            return "the file has changed since the inventory was made; it is read at the next run"
        entry = _read(self._engine, data, self._limits)
        store_entry(self._cache, image_id, entry)
        return entry.error


class PictureReader:
    """Reads the text of pictures whose bytes are at hand, through the cache; loads the engine with the first one."""

    def __init__(self, cache: Path, limits: Limits) -> None:
        self._cache = cache
        self._limits = limits
        self._engine: Any = None

    def read(self, image_id: str, data: bytes) -> Entry:
        """The lines of a picture; `image_id` is the SHA-256 of `data`. Raises ImageError if they cannot be kept."""
        known = load_entry(self._cache, image_id)
        if known is not None:
            return known
        if self._engine is None:
            self._engine = _engine()
        entry = _read(self._engine, data, self._limits)
        store_entry(self._cache, image_id, entry)
        return entry


def _read(engine: Any, data: bytes, limits: Limits) -> Entry:
    try:
        return Entry(_reader_name(), _lines(engine, data, limits))
    except ImageError as error:
        return Entry(_reader_name(), error=str(error))


def _lines(engine: Any, data: bytes, limits: Limits) -> tuple[Line, ...]:
    """The lines of all pages; a page that is broken ends them, unless it is the first."""
    lines: list[Line] = []
    try:
        for page in pages_as_seen(data, limits, LONGEST_SIDE):
            lines += _lines_of_page(engine, page)
    except ImageError:
        if not lines:
            raise
    return tuple(lines)


def _lines_of_page(engine: Any, picture: Image.Image) -> Iterator[Line]:
    import cv2

    try:
        # RapidOCR takes arrays as OpenCV does: blue, green, red.
        found = engine(np.asarray(picture)[:, :, ::-1])
    except (*DECODING_ERRORS, cv2.error) as error:
        raise ImageError(f"OCR failed: {error}") from error
    if found.txts is not None:
        for text, confidence, box in zip(found.txts, found.scores, found.boxes, strict=True):
            yield Line(text, round(float(confidence), 3), _bounds(box))


def _engine() -> Any:
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    return RapidOCR(params=ENGINE)


def _reader_name() -> str:
    return f"rapidocr {version('rapidocr')}, onnxruntime {version('onnxruntime')}"


def _bounds(box: Any) -> tuple[int, int, int, int]:
    corners = np.asarray(box, dtype=np.float64)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return round(left), round(top), round(right), round(bottom)
