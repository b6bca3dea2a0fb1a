"""Pictures for the tests of kg_pipeline.images, and their rows."""

import random
import struct
import zlib
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw

from kg_pipeline.images import InventoryTables


def drawn(seed: int, size: tuple[int, int] = (200, 150), mode: str = "RGB") -> Image.Image:
    """A picture with enough going on for its hash to be its own."""
    random_ = random.Random(seed)
    image = Image.new("RGB", size, (230, 230, 230))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        left, top = random_.randrange(size[0]), random_.randrange(size[1])
        colour = tuple(random_.randrange(256) for _ in range(3))
        draw.rectangle((left, top, left + size[0] // 5, top + size[1] // 5), fill=colour)
    return image.convert(mode)


def save(path: Path, image: Image.Image | int = 0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (drawn(image) if isinstance(image, int) else image).save(path, **options)
    return path


def huge_png(side: int) -> bytes:
    """A valid black PNG of `side` x `side` pixels, written row by row through zlib: 30,000² take under a second."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(1)
    row = b"\0" * (1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def file_row(inventory: InventoryTables, path: str) -> dict:
    return inventory.image_files.row(by_predicate=pl.col("path") == path, named=True)


def image_row(inventory: InventoryTables, path: str) -> dict:
    image_id = file_row(inventory, path)["image_id"]
    return inventory.images.row(by_predicate=pl.col("image_id") == image_id, named=True)


def paths(inventory: InventoryTables) -> list[str]:
    return inventory.image_files["path"].to_list()
