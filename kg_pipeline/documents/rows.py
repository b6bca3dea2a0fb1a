"""Rows of the tables documents, chunks and references from a parsed document."""

from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath

from kg_pipeline import ids
from kg_pipeline.documents.formats import format_of
from kg_pipeline.documents.language import language_of
from kg_pipeline.documents.listing import DocumentFile, UnlistedFolder
from kg_pipeline.documents.parsed import ImageReference, ParsedDocument
from kg_pipeline.documents.passages import cut_passages
from kg_pipeline.documents.resolution import Resolution

Row = dict[str, object]


def document_row(collection: str, entry: DocumentFile | UnlistedFolder) -> Row:
    """What is known of a document or folder before it is read."""
    return {
        "document_id": ids.document_id(collection, entry.path),
        "path": entry.path,
        "uri": entry.file.as_uri(),
        "format": form.name if isinstance(entry, DocumentFile) and (form := format_of(entry.path)) else "folder",
        "title": PurePosixPath(entry.path).stem or entry.path,
        "language": "und",
        "owned": True,
    }


def described(document: ParsedDocument, stem: str) -> Row:
    """Title and language of a document."""
    first_heading = next((heading.text for heading in document.headings), None)
    return {
        "title": document.title or first_heading or document.page_title or stem,
        "language": language_of(document),
    }


def chunk_rows(row: Row, document: ParsedDocument) -> list[Row]:
    """The passages of the document of `row`."""
    seen: Counter[str] = Counter()
    rows: list[Row] = []
    document_id = str(row["document_id"])
    for index, passage in enumerate(cut_passages(document, str(row["title"]))):
        text_sha256 = ids.sha256_text(passage.text)
        rows.append(
            {
                "chunk_id": ids.chunk_id(document_id, text_sha256, seen[text_sha256]),
                "document_id": document_id,
                "index": index,
                "heading_path": list(passage.heading_path),
                "text": passage.text,
                "text_sha256": text_sha256,
                "line_start": passage.line_start,
                "line_end": passage.line_end,
                "page": passage.page,
            }
        )
        seen[text_sha256] += 1
    return rows


def reference_rows(
    row: Row, document: ParsedDocument, chunks: list[Row], resolve: Callable[[ImageReference], Resolution]
) -> list[Row]:
    """The image references of the document of `row`, each in the chunk that holds its line."""
    chunk_of_line = {
        line: chunk["chunk_id"]
        for chunk in chunks
        for line in range(int(str(chunk["line_start"])), int(str(chunk["line_end"])) + 1)
    }
    rows: list[Row] = []
    for reference in sorted(document.references, key=lambda reference: reference.line):
        found = resolve(reference)
        line = min(reference.line, max(len(document.prose), 1))
        rows.append(
            {
                "document_id": row["document_id"],
                "document_path": row["path"],
                "chunk_id": chunk_of_line[line],
                "line": line,
                "kind": reference.kind,
                "target": found.target,
                "alt": reference.alt,
                "caption": reference.caption,
                "status": found.status,
                "image_path": found.image_path,
                "image_id": found.image_id,
                "resolution": found.rule,
            }
        )
    return rows
