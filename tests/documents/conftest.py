"""A small site on disk, read with an inventory of the images that lie in it."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from kg_pipeline.config import Collection
from kg_pipeline.documents import DocumentTables, read_documents
from kg_pipeline.tables import TABLES

IMAGES = {".png", ".jpg", ".gif", ".webp", ".svg"}


def inventory(collection: Collection) -> pl.DataFrame:
    """image_files of the folders of a collection, in the simplest way."""
    places = [(root.root, f"{root.name}/" if root.name else "") for root in collection.roots]
    places += [(place.folder, f"{place.prefix}/") for place in collection.images if place.folder]
    rows = [
        {
            "path": prefix + file.relative_to(folder).as_posix(),
            "uri": file.as_uri(),
            "image_id": hashlib.sha256(file.read_bytes()).hexdigest(),
            "status": "ok",
        }
        for folder, prefix in places
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in IMAGES and file.is_file() and not file.is_symlink()
    ]
    return TABLES["image_files"].rows(rows)


@pytest.fixture
def write(tmp_path: Path):
    """Write files below tmp_path: path → text or bytes; None: its own name, as good as any image here."""

    def put(files: dict[str, str | bytes | None]) -> None:
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            data = name if content is None else content
            file.write_bytes(data.encode() if isinstance(data, str) else data)

    return put


@pytest.fixture
def read(write, make_collection):
    """Write files, then read the collection they make: `read({path: text, image: None}, **sections)`."""

    def read_site(
        files: dict[str, str | bytes | None], previous: DocumentTables | None = None, **sections
    ) -> DocumentTables:
        write(files)
        collection = make_collection(**sections)
        return read_documents(collection, inventory(collection), previous)

    return read_site


@pytest.fixture
def resolve(read):
    """(status, image_path, resolution) of one target in docs/guide/page.md, with images at the given paths."""

    def resolve_target(target: str, *images: str, page: str = "docs/guide/page.html", **sections):
        text = f'<img src="{target}">' if page.endswith("html") else f"![x]({target})\n"
        tables = read({page: text} | dict.fromkeys(images), **sections)
        row = tables.references.row(0, named=True)
        return row["status"], row["image_path"], row["resolution"]

    return resolve_target
