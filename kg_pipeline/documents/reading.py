"""Reading a collection's documents into the tables documents, chunks and references."""

import hashlib
from typing import NamedTuple

import polars as pl

from kg_pipeline.config import Collection, DocumentRoot
from kg_pipeline.documents.decoding import decode
from kg_pipeline.documents.formats import format_of
from kg_pipeline.documents.hiding import hide_references
from kg_pipeline.documents.listing import DocumentFile, Selection, UnlistedFolder, list_documents, path_in_root
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.documents.resolution import ImageResolver
from kg_pipeline.documents.rows import Row, chunk_rows, described, document_row, reference_rows
from kg_pipeline.progress import track
from kg_pipeline.tables import TABLES

# What parsers and codecs raise on input nobody thought of. The document is then unreadable, the run goes on.
PARSER_ERRORS = (RecursionError, ValueError, AssertionError, LookupError, TypeError, AttributeError)


class DocumentTables(NamedTuple):
    """The tables documents, chunks, references."""

    documents: pl.DataFrame
    chunks: pl.DataFrame
    references: pl.DataFrame


def read_documents(
    collection: Collection, image_files: pl.DataFrame, previous: DocumentTables | None = None
) -> DocumentTables:
    """Read all documents of a collection; `image_files` is its finished inventory.

    A document that cannot be read now keeps its rows of `previous`, as stale. Raises DocumentError for a list of
    hidden references that cannot be used; anything else that is wrong becomes a row with `status` and `error`.
    """
    reader = _Reader(collection, ImageResolver(collection, image_files), previous)
    found = [entry for root in collection.documents for entry in list_documents(root)]
    for entry in track(found, "reading documents"):
        if isinstance(entry, UnlistedFolder):
            reader.keep_folder(entry)
        else:
            reader.read(entry)
    tables = reader.tables()
    if collection.hide_references:
        tables = tables._replace(references=hide_references(tables.references, image_files, collection.hide_references))
    return tables


class _Reader:
    """Gathers the rows of the three tables."""

    def __init__(self, collection: Collection, resolver: ImageResolver, previous: DocumentTables | None) -> None:
        self._collection = collection
        self._resolver = resolver
        self._documents: dict[str, Row] = {}
        self._chunks: list[Row] = []
        self._references: list[Row] = []
        self._last_good: dict[str, Row] = {}
        self._last_chunks: dict[str, list[Row]] = {}
        self._last_references: dict[str, list[Row]] = {}
        if previous:
            good = previous.documents.filter(pl.col("status").is_in(["ok", "stale"]))
            self._last_good = {row["path"]: row for row in good.iter_rows(named=True)}
            self._last_chunks = _by_document(previous.chunks)
            self._last_references = _by_document(previous.references)

    def tables(self) -> DocumentTables:
        return DocumentTables(
            TABLES["documents"].rows(list(self._documents.values())),
            TABLES["chunks"].rows(self._chunks),
            TABLES["references"].rows(self._references),
        )

    def read(self, entry: DocumentFile) -> None:
        """Read one file: its rows, or why there are none."""
        row = document_row(self._collection.name, entry)
        limit = self._collection.limits.document_bytes
        if entry.leaves_root:
            self._add(row | {"status": "skipped", "error": f"{entry.file}: a link that leaves the documents root"})
            return
        try:
            size = entry.file.stat().st_size
            if size > limit:
                why = f"{entry.file}: {size} bytes are more than limits.document_bytes = {limit}"
                self._add(row | {"bytes": size, "status": "skipped", "error": why})
                return
            data = entry.file.read_bytes()
        except OSError as error:
            self._keep(entry.root, row, f"cannot read {entry.file}: {error.strerror or error}")
            return
        row |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        try:
            self._add_parsed(entry, row, _parse(entry.path, data))
        except PARSER_ERRORS as error:
            self._keep(entry.root, row, f"cannot parse {entry.file}: {type(error).__name__}: {error}")

    def keep_folder(self, folder: UnlistedFolder) -> None:
        """A row for a folder that cannot be listed; what was below it before is carried on."""
        row = document_row(self._collection.name, folder)
        self._add(row | {"status": "unreadable", "error": folder.error})
        selection = Selection(folder.root)
        others = [root for root in self._collection.documents if root is not folder.root]
        for path, last in self._last_good.items():
            relative = path_in_root(path, folder.root, others)
            below = relative is not None and f"{relative}/".startswith(f"{folder.relative}/".lstrip("/"))
            if below and relative is not None and selection.includes(relative) and path not in self._documents:
                self._carry(folder.root, last, folder.error)

    def _add(self, row: Row) -> None:
        self._documents[str(row["path"])] = row

    def _add_parsed(self, entry: DocumentFile, row: Row, document: ParsedDocument) -> None:
        row |= {"status": "ok"} | described(document, entry.file.stem)
        chunks = chunk_rows(row, document)
        references = reference_rows(row, document, chunks, self._resolver, entry)
        self._add(row)
        self._chunks += chunks
        self._references += references

    def _keep(self, root: DocumentRoot, row: Row, error: str) -> None:
        last = self._last_good.get(str(row["path"]))
        if last is None:
            self._add(row | {"status": "unreadable", "error": error})
        else:
            self._carry(root, last, error)

    def _carry(self, root: DocumentRoot, last: Row, error: str) -> None:
        """The rows of a document as they were last; where its images are is looked up anew."""
        document = str(last["document_id"])
        self._add(last | {"status": "stale", "error": error})
        self._chunks += self._last_chunks.get(document, [])
        self._references += [
            self._resolver.refresh(root, reference) for reference in self._last_references.get(document, [])
        ]


def _parse(path: str, data: bytes) -> ParsedDocument:
    form = format_of(path)
    assert form is not None, f"{path} was listed without a parser"
    return form.parse(decode(data))


def _by_document(frame: pl.DataFrame) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in frame.iter_rows(named=True):
        grouped.setdefault(row["document_id"], []).append(row)
    return grouped
