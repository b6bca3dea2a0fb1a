"""Rows of the tables documents, chunks and references from a parsed document."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath

from kg_pipeline import ids
from kg_pipeline.documents.formats import format_of
from kg_pipeline.documents.language import language_of
from kg_pipeline.documents.listing import DocumentFile, UnlistedFolder
from kg_pipeline.documents.parsed import ImageReference, ParsedDocument
from kg_pipeline.documents.passages import Passage, cut_passages
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


def chunk_and_reference_rows(
    row: Row, document: ParsedDocument, resolve: Callable[[ImageReference], Resolution]
) -> tuple[list[Row], list[Row]]:
    """The passages of the document of `row`, and its image references, each in the passage that holds it."""
    passages = cut_passages(document, str(row["title"]))
    chunks = _chunk_rows(str(row["document_id"]), passages)
    starts = [passage.row_start for passage in passages]
    references = []
    for reference in sorted(document.references, key=lambda reference: reference.line):
        at = min(reference.line, passages[-1].row_end)
        chunk = chunks[bisect_right(starts, at) - 1]
        references.append(_reference_row(row, chunk, document.line_of(at), reference, resolve(reference)))
    return chunks, references


def _chunk_rows(document_id: str, passages: list[Passage]) -> list[Row]:
    seen: Counter[str] = Counter()
    rows: list[Row] = []
    for index, passage in enumerate(passages):
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


def _reference_row(row: Row, chunk: Row, line: int, reference: ImageReference, found: Resolution) -> Row:
    return {
        "document_id": row["document_id"],
        "document_path": row["path"],
        "chunk_id": chunk["chunk_id"],
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
