"""What reading the text in pictures is going to cost: by far the longest part of a first run on a large collection."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import polars as pl

from kg_pipeline.config import Collection
from kg_pipeline.images.addresses import ImageReader
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.ocr_cache import load_entry
from kg_pipeline.images.places import list_images
from kg_pipeline.images.workers import default_workers

SECONDS = 1.9
"""Of one core per picture: mean over 1,104 pictures of five documentation sites; the slowest took 24 s."""
HASHED_BYTES = 2_000_000_000
"""Of new files, to tell which of them were read: some 10 s from an ordinary disk."""


@dataclass(frozen=True)
class OcrCost:
    """Pictures without cached text, and the cores that will share them."""

    pictures: int
    cores: int

    @property
    def seconds(self) -> float:
        """Expected wall time."""
        return self.pictures * SECONDS / self.cores


def ocr_cost(collection: Collection, image_files: pl.DataFrame | None, cache: Path) -> OcrCost:
    """Cost for the files that lie there now. No picture is decoded.

    `image_files` is the table of the last run, if there was one: a file that has not changed since is known by it, and
    the cache tells whether its text was read. Other files are hashed for that, if the cache holds anything (`ocr
    import` before the first run) and as long as they have no more than HASHED_BYTES together; beyond, each counts.
    Without `collection.scoring.ocr` nothing is read.
    """
    if not collection.scoring.ocr:
        return OcrCost(0, default_workers())
    known: dict[tuple[object, ...], str] = {}
    if image_files is not None:
        known = {tuple(row): image_id for image_id, *row in image_files.select("image_id", *_LOOKS).iter_rows()}
    to_hash = HASHED_BYTES if cache.is_dir() and any(cache.iterdir()) else 0
    unread: set[str] = set()
    if image_files is not None:  # of a store what the last run saw: nothing is asked here
        fetched = image_files.drop_nulls(["origin", "image_id"]).filter(~pl.col("path").str.ends_with(".svg"))
        unread |= {image_id for image_id in fetched["image_id"].to_list() if load_entry(cache, image_id) is None}
    with ImageReader(collection.limits) as reader:
        for listed in list_images(collection):
            if listed.status != "ok" or PurePosixPath(listed.path).suffix.lower() in (".svg", ".svgz"):
                continue
            image_id = known.get((listed.path, listed.uri, listed.bytes, listed.modified_at))
            if image_id is None and (listed.bytes or 0) <= to_hash:
                to_hash -= listed.bytes or 0
                image_id = _hash(reader, listed.uri)
            if image_id is None or load_entry(cache, image_id) is None:
                unread.add(image_id or listed.path)
    return OcrCost(len(unread), default_workers())


def _hash(reader: ImageReader, uri: str) -> str | None:
    """Id of the picture at an address; None where it cannot be read, which the run will say."""
    try:
        return sha256(reader.read(uri)).hexdigest()
    except ImageError:
        return None


_LOOKS = ("path", "uri", "bytes", "modified_at")
"""A file of which all these are as before is taken to be the same."""
