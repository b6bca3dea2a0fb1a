"""Manifests: tables of paths or addresses, as a digital asset management (DAM) exports them, with what it says."""

import csv
import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kg_pipeline.config import Collection
from kg_pipeline.images.addresses import parse_uri
from kg_pipeline.images.errors import ImageError

PATH_COLUMNS = ("path", "url", "address")
"""The first of them that is there says where a picture is."""
TEXT_COLUMNS = ("title", "description", "tags")
"""In the order in which they become texts of the image."""
MANIFEST_ERRORS = (
    OSError,
    UnicodeDecodeError,
    csv.Error,
    json.JSONDecodeError,
    RecursionError,
    pl.exceptions.PolarsError,
    ImageError,
)


@dataclass(frozen=True)
class ManifestRow:
    """One file as the manifest names it."""

    path: str
    """As written: a path, or an address."""
    texts: tuple[str, ...]


def read_manifest(file: Path, suffix: str | None = None) -> list[ManifestRow]:
    """The rows that have a path, in their order. Raises one of MANIFEST_ERRORS.

    `suffix` says what it is when the file's name does not: .csv, .json, .parquet. Columns other than that of the path
    are optional. Tags are one cell, or in JSON and Parquet also a list.
    """
    rows = READERS.get((suffix or file.suffix).lower(), _csv_rows)(file)
    found = []
    for row in rows:
        texts = (" ".join(_cell_text(row.get(column)).split()) for column in TEXT_COLUMNS)
        path = next((str(row[column]) for column in PATH_COLUMNS if row.get(column)), "")
        if "\0" in path:
            raise ImageError(f"{file}: the path {path!r} has a zero byte in it; save the manifest as UTF-8")
        if path:
            found.append(ManifestRow(path, tuple(text for text in texts if text)))
    return found


def is_address(written: str) -> bool:
    """Whether a row names an address, not a path."""
    return "://" in written


def target(manifest: Path, written: str) -> Path:
    """The file that a path of the manifest names: absolute, or from the manifest's folder."""
    return Path(os.path.normpath(manifest.parent / written))


def manifest_texts(collection: Collection, image_files: pl.DataFrame) -> dict[str, list[str]]:
    """Image id to what the collection's manifests say of it, each text once; of copies what is said of any.

    A manifest that cannot be read says nothing here: the inventory has a row with the reason.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for inventory in collection.images:
        if inventory.manifest is None:
            continue
        try:
            rows = read_manifest(inventory.manifest)
        except MANIFEST_ERRORS:
            continue
        for row in rows:
            if row.texts and not is_address(row.path):
                said[os.path.realpath(target(inventory.manifest, row.path))] += row.texts
    found: dict[str, dict[str, None]] = defaultdict(dict)
    files = image_files.filter(pl.col("image_id").is_not_null() & pl.col("uri").str.starts_with("file://"))
    for image_id, uri in files.select("image_id", "uri").iter_rows() if said else ():
        found[image_id] |= dict.fromkeys(said.get(os.path.realpath(parse_uri(uri).file), ()))
    return {image_id: list(texts) for image_id, texts in found.items() if texts}


def _csv_rows(file: Path) -> list[dict[str, object]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not set(PATH_COLUMNS).isdisjoint(rows.fieldnames or ()):
            return [dict(row) for row in rows]
        raise ImageError(f"{file}, line 1: no column `path`; columns are {', '.join(rows.fieldnames or ())}")


def _json_rows(file: Path) -> list[dict[str, object]]:
    """A list, or an object with the list under `images`, of addresses or of objects with the columns as keys."""
    data = json.loads(file.read_bytes())
    entries = data.get("images") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise ImageError(f"{file}: expected a list of pictures, or an object with such a list under `images`")
    rows: list[Any] = [{"path": entry} if isinstance(entry, str) else entry for entry in entries]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or set(PATH_COLUMNS).isdisjoint(row):
            raise ImageError(f"{file}, entry {number}: expected an address, or an object with `path` or `url`")
    return rows


def _parquet_rows(file: Path) -> list[dict[str, object]]:
    columns = pl.read_parquet_schema(file)
    paths = [column for column in PATH_COLUMNS if column in columns]
    if paths:
        wanted = [*paths, *(column for column in TEXT_COLUMNS if column in columns)]
        table = pl.read_parquet(file, columns=wanted, glob=False)
        return table.cast(dict.fromkeys(paths, pl.String())).to_dicts()
    raise ImageError(f"{file}: no column `path`; columns are {', '.join(columns)}")


READERS: dict[str, Callable[[Path], list[dict[str, object]]]] = {
    ".csv": _csv_rows,
    ".json": _json_rows,
    ".parquet": _parquet_rows,
}


def _cell_text(cell: object) -> str:
    if isinstance(cell, list):
        return ", ".join(str(item) for item in cell if item is not None)
    return "" if cell is None else str(cell)
