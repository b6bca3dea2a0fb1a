"""The pictures inside a collection's documents, as files that the inventory lists. They are found before it is made."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from kg_pipeline.config import Collection
from kg_pipeline.documents.formats import ContainerFormat, format_of
from kg_pipeline.documents.listing import DocumentFile, UnlistedFolder, list_documents
from kg_pipeline.documents.opening import ToOpen, open_documents
from kg_pipeline.documents.shelf import Shelf
from kg_pipeline.images.places import Listed
from kg_pipeline.images.workers import default_workers
from kg_pipeline.progress import track


def list_embedded(collection: Collection, shelf: Path, workers: int | None = None) -> list[Listed]:
    """A row per picture inside a document of the collection, by path; its bytes are a file below `shelf`.

    A document or folder that cannot be read now has a row with `children`, so that what is known of its pictures is
    carried on. Raises OSError when `shelf` cannot be written.
    """
    store = Shelf(shelf)
    found = [entry for root in collection.roots for entry in list_documents(root)]
    lost = [_lost(entry.path, entry.error, store) for entry in found if isinstance(entry, UnlistedFolder)]
    to_open: list[tuple[DocumentFile, ToOpen]] = []
    containers = [entry for entry in found if isinstance(entry, DocumentFile) and is_container(entry.path)]
    for entry in track(containers, "looking for documents with pictures") if containers else ():
        form = format_of(entry.path)
        assert isinstance(form, ContainerFormat)
        if entry.leaves_root:
            continue
        try:
            if entry.file.stat().st_size <= collection.limits.document_bytes:
                digest = sha256(entry.file.read_bytes()).hexdigest()
                to_open.append((entry, ToOpen(entry.file, digest, form)))
        except OSError as error:
            lost.append(_lost(entry.path, f"cannot read {entry.file}: {error.strerror or error}", store))
    open_documents([item for _, item in to_open], store, collection.limits, workers or default_workers(), again=True)
    rows = [row for entry, item in to_open for row in _rows(entry, item, store)]
    return sorted([*rows, *lost], key=lambda row: row.path)


def is_container(path: str) -> bool:
    """Whether a document of this path may have pictures inside."""
    return isinstance(format_of(path), ContainerFormat)


def picture_path(document: str, name: str) -> str:
    """`path` in image_files of the picture `name` inside the document with the path `document`."""
    return f"{document}/{name}"


def _rows(entry: DocumentFile, item: ToOpen, store: Shelf) -> Iterator[Listed]:
    shelved = store.load(item.sha256, item.form)
    if shelved is None or shelved.status != "ok":
        yield _lost(entry.path, shelved.error if shelved and shelved.error else "it is not on the shelf", store)
        return
    try:
        modified = datetime.fromtimestamp(int(entry.file.stat().st_mtime), UTC)
    except OSError:
        modified = None
    for picture in shelved.pictures:
        yield Listed(
            picture_path(entry.path, picture.name),
            store.picture_file(picture).as_uri(),
            picture.bytes,
            modified,
            identity=f"{entry.file}!/{picture.name}",
            decorative=picture.decorative,
        )


def _lost(path: str, error: str, store: Shelf) -> Listed:
    # Of a whole root without a name, whose documents' paths begin in no special way, every picture on the shelf.
    children = f"{store.folder.as_uri()}/" if path == "." else f"{path}/"
    return Listed(path, "", status="unlistable", error=error, children=children)
