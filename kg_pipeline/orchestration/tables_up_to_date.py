"""For the check of the same name: which files are not what the tables were read from, by size and time, unread.

The sensor `changed_files` asks something else: whether the contents are those of the last run that it knows of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import polars as pl

from kg_pipeline.config import Collection
from kg_pipeline.documents.listing import DocumentFile, list_documents
from kg_pipeline.images.places import list_images
from kg_pipeline.storage import TableStore

NO_FILE = ("folder", "graph")
"""Formats of rows of documents that are no files."""


@dataclass(frozen=True)
class ChangesSince:
    """Paths, as in the tables, sorted."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    altered: tuple[str, ...]


def changes_since_tables(collection: Collection, store: TableStore) -> ChangesSince:
    """Documents and pictures that differ from tables documents and image_files. Raises MissingTableError.

    Folders that cannot be listed are not counted as gone: their files are unknown.
    """
    documents = _compared(_documents_known(store, collection.name), _documents_there(collection))
    images = _compared(_images_known(store, collection.name), _images_there(collection))
    written = store.path("documents", collection.name).stat().st_mtime
    newer = [path for path, file in _document_files(collection).items() if _modified(file) > written]
    altered = sorted({*documents.altered, *images.altered, *newer} - {*documents.new, *images.new})
    return ChangesSince(documents.new + images.new, documents.gone + images.gone, tuple(altered))


Known = Mapping[str, object]
"""Path → what tells one state of a file from another."""


def _compared(known: Known, there: Known) -> ChangesSince:
    both = known.keys() & there.keys()
    return ChangesSince(
        new=tuple(sorted(there.keys() - known.keys())),
        gone=tuple(sorted(known.keys() - there.keys())),
        altered=tuple(sorted(path for path in both if known[path] != there[path])),
    )


def _documents_known(store: TableStore, collection: str) -> Known:
    rows = store.scan("documents", collection).filter(~pl.col("format").is_in(NO_FILE))
    return dict(rows.select("path", "bytes").collect().iter_rows())


def _documents_there(collection: Collection) -> Known:
    return {path: _size(file) for path, file in _document_files(collection).items()}


def _document_files(collection: Collection) -> dict[str, Path]:
    listed = (entry for root in collection.roots for entry in list_documents(root))
    return {entry.path: entry.file for entry in listed if isinstance(entry, DocumentFile)}


def _images_known(store: TableStore, collection: str) -> Known:
    # What stores hold now only their servers know: the sensor asks them.
    rows = store.scan("image_files", collection).filter(pl.col("status") != "unlistable", pl.col("origin").is_null())
    documents = set(_documents_known(store, collection))
    return {
        path: (size, time)
        for path, size, time in rows.select("path", "bytes", "modified_at").collect().iter_rows()
        # A picture inside a document changes with that document.
        if documents.isdisjoint(map(str, PurePosixPath(path).parents))
    }


def _images_there(collection: Collection) -> Known:
    found: dict[str, tuple[int | None, datetime | None]] = {}
    for listed in list_images(collection):
        if listed.status != "unlistable":
            found[listed.path] = (listed.bytes, listed.modified_at)
    return found


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
