"""Descriptions of many pictures: from the cache where they are known, else from the describer."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

import polars as pl

from kg_pipeline.config import Limits
from kg_pipeline.descriptions.asking import small_jpeg
from kg_pipeline.descriptions.cache import Description, DescriptionCache
from kg_pipeline.descriptions.errors import DescriptionError
from kg_pipeline.descriptions.protocol import Describer, UndescribedError
from kg_pipeline.images import ImageError, InventoryTables
from kg_pipeline.images.addresses import ImageReader
from kg_pipeline.images.formats import SVG
from kg_pipeline.progress import track
from kg_pipeline.tables import TABLES

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DescriptionReport:
    """Where the descriptions came from."""

    new_images: int = 0
    """Pictures that were not in the cache."""
    cache_hits: int = 0
    undescribed: int = 0
    """Pictures that the model has no words for or that cannot be read; the table says why."""


def describe_images(
    describer: Describer,
    cache: DescriptionCache,
    inventory: InventoryTables,
    limits: Limits,
    max_new_images: int | None = None,
) -> tuple[pl.DataFrame, DescriptionReport]:
    """The table `image_descriptions` of the inventory's content pictures (no decoration, no SVG), and what it cost.

    What was described before an error is in the cache, so that another run goes on from there. Raises DescriptionError
    when nothing can be described now, and before anything is when more than `max_new_images` are new.
    """
    addresses = inventory.addresses()
    known = {image_id: cache.load(describer.fingerprint, image_id) for image_id in _describable(inventory.images)}
    new = {image_id: addresses[image_id] for image_id, found in known.items() if not found and image_id in addresses}
    if max_new_images is not None and len(new) > max_new_images:
        raise DescriptionError(
            f"{len(new)} pictures are new, max_new_images allows {max_new_images}; none was described. "
            "Raise descriptions.max_new_images in collections.yaml when the bill is fine"
        )
    made = _described(describer, cache, new, limits) if new else {}
    found = {image_id: made.get(image_id) or entry or GONE for image_id, entry in known.items()}
    table = TABLES["image_descriptions"].rows(
        [
            {"image_id": image_id, "describer": describer.fingerprint, "text": each.text, "error": each.error}
            for image_id, each in found.items()
        ]
    )
    hits = sum(entry is not None for entry in known.values())
    return table, DescriptionReport(len(new), hits, table["text"].null_count())


GONE = Description(None, "its file cannot be read now")


def _describable(images: pl.DataFrame) -> list[str]:
    """Ids, sorted. Drawings (SVG) are not rendered, and say in their own text what they show."""
    pictures = images.filter((pl.col("role") == "content") & (pl.col("format") != SVG))
    return pictures["image_id"].sort().to_list()


def _described(
    describer: Describer, cache: DescriptionCache, new: Mapping[str, str], limits: Limits
) -> dict[str, Description]:
    announced = f"describing {len(new)} new pictures with {describer.fingerprint}"
    logger.info("%s", announced)

    def describe(image_id: str, jpeg: bytes) -> Description:
        try:
            description = Description(describer.describe(jpeg))
        except UndescribedError as error:
            description = Description(None, str(error))
        cache.store(describer.fingerprint, image_id, description)
        return description

    found: dict[str, Description] = {}
    waiting: deque[tuple[str, Future[Description]]] = deque()
    with ThreadPoolExecutor(describer.parallel) as threads:
        try:
            for image_id, jpeg in track(_pictures(new, limits), announced, len(new)):
                if isinstance(jpeg, Description):
                    found[image_id] = jpeg
                    continue
                waiting.append((image_id, threads.submit(describe, image_id, jpeg)))
                if len(waiting) >= 2 * describer.parallel:
                    done, future = waiting.popleft()
                    found[done] = future.result()
            found.update((done, future.result()) for done, future in waiting)
        finally:
            for _, future in waiting:
                future.cancel()
    return found


def _pictures(new: Mapping[str, str], limits: Limits) -> Iterator[tuple[str, bytes | Description]]:
    """Each picture as it is sent, or why it cannot be; the latter is not kept: its file may be back next time."""
    with ImageReader(limits) as reader:
        for image_id, uri in new.items():
            try:
                data = reader.read(uri)
                if sha256(data).hexdigest() != image_id:
                    yield image_id, Description(None, "its file has changed since the inventory was made")
                else:
                    yield image_id, small_jpeg(data, limits)
            except ImageError as error:
                yield image_id, Description(None, str(error))
