"""Documents and images read per second, against a plain loop on one thread with the same libraries.

    python benchmarks/ingest.py [--corpus FOLDER] [--images 2000] [--repeat 2]

Every picture below FOLDER (or, without one, pictures drawn here) is saved again and again with one corner changed until
there are as many distinct ones as asked for; its Markdown files are copied in the same way. Both sides read what lies
in the page cache. Ends with one JSON line.
"""

import argparse
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import imagehash
from markdown_it import MarkdownIt
from PIL import Image, ImageDraw

from kg_pipeline.config import Collection
from kg_pipeline.documents import read_documents
from kg_pipeline.images import InventoryTables, read_inventory

RASTER_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
DRAWN_SIZES = ((640, 480), (1024, 768), (1280, 720), (400, 300))
# What the inventory promises on two cores.
BOUND = {"images_per_second": 1.7}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "docs"
        documents = make_corpus(options.corpus, root, options.images)
        images = sorted(path for path in root.rglob("*") if path.suffix.lower() in RASTER_SUFFIXES)
        collection = Collection.model_validate(
            {"name": "bench", "documents": [{"root": "docs"}]}, context={"base": Path(folder)}
        )
        print(f"{len(images)} images, {sum(path.stat().st_size for path in images) / 1e6:.0f} MB")
        print(f"{len(documents)} documents, {sum(path.stat().st_size for path in documents) / 1e6:.1f} MB")
        found: list[InventoryTables] = []
        image_seconds = race(
            lambda: read_images_plainly(images), lambda: found.append(read_inventory(collection)), options.repeat
        )
        assert len(found[-1].images) == len(images)
        again = clock(lambda: read_inventory(collection, found[-1]))
        document_seconds = race(
            lambda: read_documents_plainly(documents),
            lambda: read_documents(collection, found[-1].image_files),
            options.repeat,
        )
    ratios = {}
    for name, count, (plain, ours) in (
        ("images", len(images), image_seconds),
        ("documents", len(documents), document_seconds),
    ):
        ratios[f"{name}_per_second"] = round(plain / ours, 2)
        print(f"{name}: plain loop {count / plain:.1f}/s, kg_pipeline {count / ours:.1f}/s: {plain / ours:.2f} times")
    ratios["images_unchanged"] = round(image_seconds[0] / again, 1)
    print(f"images, nothing changed since the last run: {len(images) / again:.0f}/s")
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    print(json.dumps({"name": "ingest", "ratios": ratios, "bound": BOUND, "machine": machine}))


def race(plain: Callable[[], object], ours: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Best seconds of each, taking turns, so that other load on the machine meets both."""
    seconds = [(clock(plain), clock(ours)) for _ in range(repeat)]
    return min(pair[0] for pair in seconds), min(pair[1] for pair in seconds)


def clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def read_images_plainly(paths: list[Path]) -> list[tuple[str, tuple[int, int], str]]:
    rows = []
    for path in paths:
        data = path.read_bytes()
        with Image.open(BytesIO(data)) as image:
            image.load()
            rows.append((sha256(data).hexdigest(), image.size, str(imagehash.dhash(image, hash_size=16))))
    return rows


def read_documents_plainly(paths: list[Path]) -> list[tuple[str, int]]:
    markdown = MarkdownIt("commonmark").enable("table")
    rows = []
    for path in paths:
        data = path.read_bytes()
        rows.append((sha256(data).hexdigest(), len(markdown.parse(data.decode("utf-8", "replace")))))
    return rows


def make_corpus(source: Path | None, root: Path, count: int) -> list[Path]:
    """Fill `root` with `count` distinct pictures and as many documents per picture as the source has; the documents."""
    files = below(source, RASTER_SUFFIXES) if source else []
    pictures = [opened(path) for path in files] or [draw(seed) for seed in range(40)]
    texts = [path.read_text("utf-8", "replace") for path in below(source, {".md"})] if source else [write()]
    for number in range(count):
        picture, format_ = pictures[number % len(pictures)]
        # A corner of 8 x 8 pixels rather than one: JPEG would round a single pixel away.
        copy = number // len(pictures)
        picture.paste((copy % 256, copy // 256 * 32 % 256, number % 256), (0, 0, 8, 8))
        path = root / f"media{number % 20}" / f"{number}.{format_.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, format_, **({"compress_level": 1} if format_ == "PNG" else {}))
    copies = max(1, count * len(texts) // len(pictures)) if source else count // 4
    documents = []
    for number in range(copies):
        documents.append(root / f"page{number}.md")
        picture = f"![](media{number % 20}/{number}.png)"
        documents[-1].write_text(f"{texts[number % len(texts)]}\n\nCopy {number}: {picture}\n", "utf-8")
    return documents


def below(source: Path, suffixes: set[str]) -> list[Path]:
    return sorted(path for path in source.rglob("*") if path.suffix.lower() in suffixes)


def opened(path: Path) -> tuple[Image.Image, str]:
    with Image.open(path) as image:
        format_ = "JPEG" if image.format == "JPEG" else "PNG"
        return image.convert("RGB"), format_


def draw(seed: int) -> tuple[Image.Image, str]:
    """Something between a screenshot and a photograph."""
    chance = random.Random(seed)
    image = Image.effect_noise(DRAWN_SIZES[seed % len(DRAWN_SIZES)], 12).convert("RGB")
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        left, top = chance.randrange(image.width), chance.randrange(image.height)
        colour = tuple(chance.randrange(256) for _ in range(3))
        pen.rectangle((left, top, left + chance.randrange(20, 200), top + chance.randrange(10, 100)), fill=colour)
    return image, "JPEG" if seed % 3 == 0 else "PNG"


def write() -> str:
    section = "## Section {0}\n\nPress **Start** and wait until the *pump* runs.\n\n1. Open the valve\n2. Close it\n\n"
    return "# Manual\n\n" + "".join(section.format(number) for number in range(30))


if __name__ == "__main__":
    main()
