"""Identifiers that depend on content alone, so that every machine and every run derives the same ones."""

import hashlib
from pathlib import Path

BLOCK_BYTES = 1 << 20


def sha256_text(text: str) -> str:
    """Hex SHA-256 of the UTF-8 bytes of `text`; lone surrogates (undecodable file names) are kept apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def stable_id(*parts: str | int) -> str:
    """32 hex characters from `parts`, whose order and boundaries count: ("ab", "c") is not ("a", "bc")."""
    return sha256_text("".join(f"{len(str(part))}:{part}" for part in parts))[:32]


def document_id(collection: str, path: str) -> str:
    """Id of a document: its collection and its path (DESIGN section 4)."""
    return stable_id(collection, path)


def chunk_id(document: str, text_sha256: str, occurrence: int) -> str:
    """Id of a chunk: its document, its text, and the how-many-th chunk with that text it is, from 0."""
    return stable_id(document, text_sha256, occurrence)
