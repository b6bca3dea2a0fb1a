"""The table image_texts: names, folders, and what can be read in the pictures themselves."""

import logging
import warnings
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath

import polars as pl

from kg_pipeline.config import Collection, Limits
from kg_pipeline.images.addresses import ImageReader
from kg_pipeline.images.decoding import open_raster
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.exif import exif_texts
from kg_pipeline.images.formats import SVG, image_format
from kg_pipeline.images.inventory import InventoryTables
from kg_pipeline.images.manifests import manifest_texts
from kg_pipeline.images.ocr import ocr_pending as pending_ids
from kg_pipeline.images.ocr import raster_images, read_pending
from kg_pipeline.images.ocr_cache import load_entry
from kg_pipeline.images.store_rows import store_manifest_texts
from kg_pipeline.images.svg import parse_svg, svg_texts
from kg_pipeline.images.workers import Crash, run
from kg_pipeline.progress import track
from kg_pipeline.tables import TABLES

log = logging.getLogger(__name__)

Rows = list[dict[str, object]]


def read_image_texts(
    collection: Collection,
    inventory: InventoryTables,
    cache: Path,
    workers: int | None = None,
    descriptions: pl.DataFrame | None = None,
    stores: Path | None = None,
) -> pl.DataFrame:
    """Text of every image of the inventory, without what documents say of it.

    `descriptions` is the table image_descriptions, None where nobody described anything; `stores` the folder in which
    the manifests of stores are kept. Without
    `collection.scoring.ocr` pictures are not read and the OCR cache is not looked at. Images whose file is `stale`
    keep name, folder and what the cache knows.
    """
    rows = _path_rows(inventory) + _file_rows(collection.limits, inventory, workers)
    for image_id, said in _manifest_texts(collection, inventory, stores).items():
        rows += [{"image_id": image_id, "source": "manifest", "text": text} for text in said]
    if collection.scoring.ocr:
        addresses = inventory.addresses()
        pending = pending_ids(inventory.images, cache)
        to_read = {image_id: addresses[image_id] for image_id in pending if image_id in addresses}
        read_pending(to_read, cache, collection.limits, workers)
        rows += _ocr_rows(inventory, cache)
    if descriptions is not None:
        rows += _description_rows(descriptions)
    return TABLES["image_texts"].rows(rows)


def _description_rows(descriptions: pl.DataFrame) -> Rows:
    described = descriptions.drop_nulls("text").select("image_id", "text").iter_rows()
    return [{"image_id": image_id, "source": "description", "text": text} for image_id, text in described]


def ocr_pending(inventory: InventoryTables, cache: Path) -> int:
    """How many pictures of the inventory OCR has not read yet."""
    return len(pending_ids(inventory.images, cache))


def _manifest_texts(collection: Collection, inventory: InventoryTables, stores: Path | None) -> dict[str, list[str]]:
    said = manifest_texts(collection, inventory.image_files)
    for image_id, texts in store_manifest_texts(collection, inventory.image_files, stores).items() if stores else ():
        said[image_id] = list(dict.fromkeys([*said.get(image_id, []), *texts]))
    return said


def _path_rows(inventory: InventoryTables) -> Rows:
    files = inventory.image_files.filter(pl.col("image_id").is_not_null())
    found: dict[tuple[str, str, str], None] = {}
    for image_id, path in files.select("image_id", "path").iter_rows():
        pure = PurePosixPath(path)
        found[image_id, "name", pure.stem] = None
        if len(pure.parts) > 1:
            found[image_id, "folder", pure.parent.as_posix()] = None
    return [{"image_id": image_id, "source": source, "text": text} for image_id, source, text in found]


def _file_rows(limits: Limits, inventory: InventoryTables, workers: int | None) -> Rows:
    items = list(inventory.addresses().items())
    rows: Rows = []
    results = run(partial(ReadEmbeddedTexts, limits), items, "reading descriptions in images", workers)
    for (image_id, uri), result in zip(items, results, strict=True):
        if isinstance(result, Crash):
            log.warning("%s: no embedded text: the process that read it was killed, time after time", uri)
            continue
        source, texts, problem = result
        if problem:
            log.warning("%s: no embedded text: %s", uri, problem)
        rows += [{"image_id": image_id, "source": source, "text": text} for text in texts]
    return rows


class ReadEmbeddedTexts:
    """Reads what an image file says of itself (SVG text, EXIF); lives in a worker process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader = ImageReader(limits)

    def __call__(self, item: tuple[str, str]) -> tuple[str, list[str], str | None]:
        """Source, texts and problem of an image given as (image id, address)."""
        image_id, uri = item
        try:
            data = self._reader.read(uri)
            if sha256(data).hexdigest() != image_id:
                return "exif", [], "the file has changed since the inventory was made"
            if image_format(data) == SVG:
                return "svg", svg_texts(parse_svg(data)), None
            with warnings.catch_warnings(action="ignore"):  # of broken EXIF blocks
                return "exif", exif_texts(open_raster(data, self._limits)), None
        except ImageError as error:
            return "exif", [], str(error)


def _ocr_rows(inventory: InventoryTables, cache: Path) -> Rows:
    rows: Rows = []
    for image_id in track(raster_images(inventory.images)["image_id"].to_list(), "collecting text in images"):
        entry = load_entry(cache, image_id)
        for line in entry.lines if entry else ():
            rows.append({"image_id": image_id, "source": "ocr", "text": line.text, "confidence": line.confidence})
    return rows
