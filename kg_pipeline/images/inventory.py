"""The inventory: every image file of a collection, and every distinct image content with its facts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import NamedTuple

import polars as pl

from kg_pipeline.config import Collection, Limits
from kg_pipeline.images.addresses import ImageReader
from kg_pipeline.images.decoding import Picture, examine
from kg_pipeline.images.decorative import ONE_COLOUR, RULE_REASONS, Look, decorative_reason
from kg_pipeline.images.duplicates import duplicate_groups
from kg_pipeline.images.errors import ImageError, SkippedError
from kg_pipeline.images.places import Listed, list_images
from kg_pipeline.images.workers import Crash, run
from kg_pipeline.tables import TABLES


class InventoryTables(NamedTuple):
    """The tables image_files and images of one collection."""

    image_files: pl.DataFrame
    images: pl.DataFrame

    def addresses(self) -> dict[str, str]:
        """Image id to the address of the first file that has it and can be read."""
        files = self.image_files.filter(pl.col("status") == "ok").unique("image_id", keep="first", maintain_order=True)
        return dict(files.select("image_id", "uri").iter_rows())


@dataclass(frozen=True)
class Reading:
    """What came of reading one file."""

    status: str
    error: str | None = None
    image_id: str | None = None
    picture: Picture | None = None


def read_inventory(
    collection: Collection,
    previous: InventoryTables | None = None,
    workers: int | None = None,
    embedded: Sequence[Listed] = (),
    remote: Sequence[Listed] = (),
) -> InventoryTables:
    """List, hash, decode and describe every image of the collection.

    `embedded` are those inside documents, `remote` those of stores, whose copies are on this machine by now.
    Files with the path, size and time they had in `previous` are not read again. What was good in `previous` and is
    unreadable now, or lies where nothing can be listed now, is carried on with status `stale`.
    """
    lost = [listed for listed in embedded if listed.status == "unlistable"]
    listing = list_images(collection, [listed for listed in embedded if listed.status != "unlistable"], remote)
    before = _Previous(previous, collection.limits)
    readings = {listed.path: before.unchanged(listed) for listed in listing if listed.status == "ok"}
    to_read = [listed for listed in listing if listed.status == "ok" and readings[listed.path] is None]
    results = run(partial(ReadImage, collection.limits), [listed.uri for listed in to_read], "reading images", workers)
    for listed, result in zip(to_read, results, strict=True):
        died = "the process that decoded it was killed, time after time (out of memory?)"
        readings[listed.path] = Reading("unreadable", died) if isinstance(result, Crash) else result
    files: list[dict[str, object]] = []
    pictures: dict[str, Picture] = {}
    for listed in listing:
        reading = readings.get(listed.path) or Reading(listed.status, listed.error)
        row = _file_row(listed, reading)
        if reading.status == "unreadable" and (good := before.good(listed.path, reading.error)):
            row, reading = good
        files.append(row)
        if reading.image_id and reading.picture:
            pictures[reading.image_id] = reading.picture
    for row, reading in before.below_unlistable([*listing, *lost]):
        files.append(row)
        if reading.image_id and reading.picture:
            pictures[reading.image_id] = reading.picture
    image_files = TABLES["image_files"].rows(files)
    decorative = before.places() | {listed.path: listed.decorative for listed in listing}
    return InventoryTables(image_files, _images(image_files, pictures, decorative))


class ReadImage:
    """Reads one image after the other by address; lives in a worker process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reader = ImageReader(limits)

    def __call__(self, uri: str) -> Reading:
        """Hash and facts of the image at `uri`, or why there are none."""
        try:
            data = self._reader.read(uri)
            return Reading("ok", None, sha256(data).hexdigest(), examine(data, self._limits))
        except SkippedError as error:
            return Reading("skipped", str(error))
        except ImageError as error:
            return Reading("unreadable", str(error))


class _Previous:
    """What the tables of the last run know of a file."""

    def __init__(self, tables: InventoryTables | None, limits: Limits) -> None:
        self._limits = limits
        self._images = {row["image_id"]: row for row in tables.images.iter_rows(named=True)} if tables else {}
        rows = tables.image_files.iter_rows(named=True) if tables else ()
        self._files = {row["path"]: row for row in rows if row["image_id"] in self._images}

    def unchanged(self, listed: Listed) -> Reading | None:
        """The last reading of a file that looks the same, unless the limits have become too small for it."""
        row = self._files.get(listed.path)
        if row is None or row["status"] != "ok" or row["uri"] != listed.uri:
            return None
        looks = (listed.bytes, listed.modified_at)
        # The address of a copy follows from its content, so there it says enough.
        if not listed.origin and ((row["bytes"], row["modified_at"]) != looks or listed.modified_at is None):
            return None
        picture = self._picture(row["image_id"])
        pixels = (picture.width or 0) * (picture.height or 0)
        if row["bytes"] > self._limits.image_bytes or (picture.perceptual_hash and pixels > self._limits.image_pixels):
            return None
        return Reading("ok", None, row["image_id"], picture)

    def good(self, path: str, error: str | None) -> tuple[dict[str, object], Reading] | None:
        """The last good row of a file that is unreadable now for the reason `error`, as stale."""
        row = self._files.get(path)
        if row is None:
            return None
        picture = self._picture(row["image_id"])
        return row | {"status": "stale", "error": error}, Reading("stale", error, row["image_id"], picture)

    def places(self) -> dict[str, str | None]:
        """Path to why its place in a document made it decoration."""
        reasons = {path: self._images[row["image_id"]]["decorative_reason"] for path, row in self._files.items()}
        return {path: reason for path, reason in reasons.items() if reason and reason not in RULE_REASONS}

    def below_unlistable(self, listing: list[Listed]) -> Iterator[tuple[dict[str, object], Reading]]:
        """The last good rows of everything below a place that cannot be listed now, as stale."""
        present = {listed.path for listed in listing}
        for place in listing:
            for path, row in self._files.items() if place.children else ():
                if path not in present and (row["uri"].startswith(place.children) or path.startswith(place.children)):
                    present.add(path)
                    if good := self.good(path, f"{place.path}: {place.error}"):
                        yield good

    def _picture(self, image_id: str) -> Picture:
        row = self._images[image_id]
        return Picture(
            row["width"],
            row["height"],
            row["format"],
            row["frames"],
            row["has_alpha"],
            row["perceptual_hash"],
            row["decorative_reason"] == ONE_COLOUR,
        )


def _file_row(listed: Listed, reading: Reading) -> dict[str, object]:
    return {
        "path": listed.path,
        "uri": listed.uri,
        "origin": listed.origin,
        "image_id": reading.image_id,
        "bytes": listed.bytes,
        "modified_at": listed.modified_at,
        "status": reading.status,
        "error": reading.error,
    }


def _images(image_files: pl.DataFrame, pictures: dict[str, Picture], by_place: dict[str, str | None]) -> pl.DataFrame:
    paths: dict[str, list[str]] = defaultdict(list)
    for image_id, path in image_files.filter(pl.col("image_id").is_not_null()).select("image_id", "path").iter_rows():
        paths[image_id].append(path)
    rows: list[dict[str, object]] = []
    for image_id, picture in sorted(pictures.items()):
        places = tuple(by_place.get(path) for path in paths[image_id])
        look = Look(tuple(paths[image_id]), picture.width, picture.height, picture.one_colour, places)
        reason = decorative_reason(look)
        rows.append(
            {
                "image_id": image_id,
                "path": paths[image_id][0],
                "width": picture.width,
                "height": picture.height,
                "format": picture.format,
                "frames": picture.frames,
                "has_alpha": picture.has_alpha,
                "perceptual_hash": picture.perceptual_hash,
                "duplicate_group": None,
                "role": "decorative" if reason else "content",
                "decorative_reason": reason,
            }
        )
    images = TABLES["images"].rows(rows)
    grouped = images.drop("duplicate_group").join(duplicate_groups(images), on="image_id", how="left")
    return TABLES["images"].conform(grouped.select(images.columns))
