"""Reading a collection's documents into the tables documents, chunks and references."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl

from kg_pipeline.config import Collection, DocumentRoot, GraphDocuments
from kg_pipeline.documents.decoding import decode
from kg_pipeline.documents.formats import ContainerFormat, format_of
from kg_pipeline.documents.hiding import hide_references
from kg_pipeline.documents.language import language_of
from kg_pipeline.documents.listing import DocumentFile, Selection, UnlistedFolder, list_documents, path_in_root
from kg_pipeline.documents.nodes import is_of, lost_nodes, node_row, parse_node, source_row, text_facts
from kg_pipeline.documents.opening import PARSER_ERRORS, OpenedDocuments, ToOpen
from kg_pipeline.documents.parsed import EMBEDDED, ImageReference, ParsedDocument
from kg_pipeline.documents.resolution import ImageResolver, Resolution
from kg_pipeline.documents.rows import Row, chunk_and_reference_rows, described, document_row
from kg_pipeline.graph_nodes import NodesRead, ReadNodes, no_graph
from kg_pipeline.progress import track
from kg_pipeline.tables import TABLES


class DocumentTables(NamedTuple):
    """The tables documents, chunks, references."""

    documents: pl.DataFrame
    chunks: pl.DataFrame
    references: pl.DataFrame


def read_documents(
    collection: Collection,
    image_files: pl.DataFrame,
    previous: DocumentTables | None = None,
    read_nodes: ReadNodes = no_graph,
    shelf: Path | None = None,
    ocr_cache: Path | None = None,
) -> DocumentTables:
    """Read all documents of a collection; `image_files` is its finished inventory, `read_nodes` reads graph sources.

    `shelf` is where list_embedded left the documents with pictures inside; without it they are taken apart once more.
    Scanned pages have text where there is an `ocr_cache` and the collection wants OCR.
    A document that cannot be read now keeps its rows of `previous`, as stale. Raises DocumentError for a list of
    hidden references that cannot be used; anything else that is wrong becomes a row with `status` and `error`.
    """
    with TemporaryDirectory() as beside:
        opened = OpenedDocuments(collection, shelf or Path(beside), ocr_cache if collection.scoring.ocr else None)
        tables = _read_all(_Reader(collection, ImageResolver(collection, image_files), previous, opened), read_nodes)
    if collection.hide_references:
        tables = tables._replace(references=hide_references(tables.references, image_files, collection.hide_references))
    return tables


def _read_all(reader: "_Reader", read_nodes: ReadNodes) -> DocumentTables:
    collection = reader.collection
    found = [entry for root in collection.roots for entry in list_documents(root)]
    for entry in track(found, "reading documents"):
        if isinstance(entry, UnlistedFolder):
            reader.keep_folder(entry)
        else:
            reader.read(entry)
    reader.read_scans()
    for source in collection.graph_documents:
        reader.read_source(source, read_nodes(collection.name, source.graph))
    return reader.tables()


class _Reader:
    """Gathers the rows of the three tables."""

    def __init__(
        self,
        collection: Collection,
        resolver: ImageResolver,
        previous: DocumentTables | None,
        opened: OpenedDocuments,
    ) -> None:
        self.collection = collection
        self._opened = opened
        self._with_scans: list[tuple[DocumentFile, Row, ToOpen]] = []
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
        row = document_row(self.collection.name, entry)
        limit = self.collection.limits.document_bytes
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
        digest = hashlib.sha256(data).hexdigest()
        row |= {"sha256": digest, "bytes": len(data)}
        form = format_of(entry.path)
        assert form is not None, f"{entry.path} was listed without a parser"
        if isinstance(form, ContainerFormat):
            self._read_container(entry, row, ToOpen(entry.file, digest, form))
            return
        try:
            self._add_parsed(entry, row, form.parse(decode(data)))
        except PARSER_ERRORS as error:
            self._keep(entry.root, row, f"cannot parse {entry.file}: {type(error).__name__}: {error}")

    def _read_container(self, entry: DocumentFile, row: Row, item: ToOpen) -> None:
        """Read a file with pictures inside; one with scanned pages waits until all of these are known."""
        shelved = self._opened.get(item)
        if shelved.document is None:
            error = f"cannot read {entry.file}: {shelved.error}"
            if shelved.status == "skipped":
                self._add(row | {"status": "skipped", "error": error})
            else:
                self._keep(entry.root, row, error)
        elif self._opened.wants_ocr(shelved):
            self._with_scans.append((entry, row, item))
        else:
            self._add_parsed(entry, row, self._opened.text_of(shelved))

    def read_scans(self) -> None:
        """Have the scanned pages read that are new, and read the documents that waited for them."""
        self._opened.read_scans()
        for entry, row, item in self._with_scans:
            self._add_parsed(entry, row, self._opened.text_of(self._opened.get(item)))

    def keep_folder(self, folder: UnlistedFolder) -> None:
        """A row for a folder that cannot be listed; what was below it before is carried on."""
        row = document_row(self.collection.name, folder)
        self._add(row | {"status": "unreadable", "error": folder.error})
        selection = Selection(folder.root)
        others = [root for root in self.collection.roots if root is not folder.root]
        for path, last in self._last_good.items():
            relative = path_in_root(path, folder.root, others)
            below = relative is not None and f"{relative}/".startswith(f"{folder.relative}/".lstrip("/"))
            if below and relative is not None and selection.includes(relative) and path not in self._documents:
                self._carry(folder.root, last, folder.error)

    def read_source(self, source: GraphDocuments, read: NodesRead) -> None:
        """The documents that are nodes of the graph; when they could not be read, as they were last."""
        name, limit = self.collection.name, self.collection.limits.document_bytes
        if read.error:
            self._add(source_row(name, source, "unreadable", read.error))
            for last in self._last_good.values():
                if is_of(source, last):
                    self._carry(None, last, read.error)
            return
        for row in lost_nodes(name, source, read):
            self._add(row)
        usable = read.rows.filter(pl.col("problem").is_null()).select("key", "title", "text")
        for key, title, text in usable.iter_rows():
            row = node_row(name, source, key) | {"title": (title or "").strip() or key} | text_facts(text or "")
            if int(str(row["bytes"])) > limit:
                why = f"{row['bytes']} bytes of text are more than limits.document_bytes = {limit}"
                self._add(row | {"sha256": None, "status": "skipped", "error": why})
                continue
            try:
                self._add_node(row, parse_node(source, str(row["title"]), text or ""))
            except PARSER_ERRORS as error:
                self._keep(None, row, f"cannot parse the text of {row['path']}: {type(error).__name__}: {error}")

    def _add(self, row: Row) -> None:
        self._documents[str(row["path"])] = row

    def _add_parsed(self, entry: DocumentFile, row: Row, document: ParsedDocument) -> None:
        row |= {"status": "ok"} | described(document, entry.file.stem)

        def resolve(reference: ImageReference) -> Resolution:
            if reference.kind == EMBEDDED:
                return self._resolver.resolve_embedded(entry.path, reference.target)
            return self._resolver.resolve(entry.root, entry.file, reference.target, reference.kind, document.base)

        chunks, references = chunk_and_reference_rows(row, document, resolve)
        self._add(row)
        self._chunks += chunks
        self._references += references

    def _add_node(self, row: Row, document: ParsedDocument) -> None:
        row |= {"language": language_of(document), "status": "ok"}

        def resolve(reference: ImageReference) -> Resolution:
            return self._resolver.resolve_path(reference.target, reference.kind)

        chunks, references = chunk_and_reference_rows(row, document, resolve)
        self._add(row)
        self._chunks += chunks
        self._references += references

    def _keep(self, root: DocumentRoot | None, row: Row, error: str) -> None:
        last = self._last_good.get(str(row["path"]))
        if last is None:
            self._add(row | {"status": "unreadable", "error": error})
        else:
            self._carry(root, last, error)

    def _carry(self, root: DocumentRoot | None, last: Row, error: str) -> None:
        """The rows of a document as they were last; where its images are is looked up anew."""
        document = str(last["document_id"])
        self._add(last | {"status": "stale", "error": error})
        self._chunks += self._last_chunks.get(document, [])
        self._references += [
            self._resolver.refresh(root, reference) for reference in self._last_references.get(document, [])
        ]


def _by_document(frame: pl.DataFrame) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in frame.iter_rows(named=True):
        grouped.setdefault(row["document_id"], []).append(row)
    return grouped
