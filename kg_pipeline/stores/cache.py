"""Copies of what was fetched, one file per content, and what is known of the object each came from.

Bounded by what the collections list: `purge` removes a copy that no collection knows any more, if it was fetched more
than a day ago. Deleting the whole folder loses nothing but the time to fetch again.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any

import polars as pl

from kg_pipeline.ids import sha256_text
from kg_pipeline.storage.atomic import replacing

GRACE_SECONDS = 86_400.0
"""Another run may have fetched a copy and not yet written down that it knows it."""
SUFFIX_CHARACTERS = 8

SCHEMA: dict[str, Any] = {
    "address": pl.String,
    "place": pl.String,
    "file": pl.String,
    "bytes": pl.Int64,
    "modified_at": pl.Datetime("us", "UTC"),
    "mark": pl.String,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """The copy of an object, and how the object looked when it was fetched."""

    place: str
    """The store of the configuration that lists it."""
    file: str
    """Below the folder of the cache."""
    bytes: int
    modified_at: datetime | None
    mark: str | None


class StoreCache:
    """The copies below a folder."""

    def __init__(self, folder: Path) -> None:
        """Nothing is created yet."""
        self.folder = folder

    def path(self, kept: Kept) -> Path:
        """Where the bytes are."""
        return self.folder / kept.file

    def has(self, kept: Kept) -> bool:
        """Whether the copy is there, whole."""
        try:
            return self.path(kept).stat().st_size == kept.bytes
        except OSError:
            return False

    def temporary(self) -> Path:
        """A new empty file beside the copies. Raises OSError."""
        folder = self.folder / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, delete=False) as file:
            return Path(file.name)

    def take(self, file: Path, key: str) -> tuple[str, int]:
        """Move a fetched file to the copies: its place below the folder, and its size. Raises OSError."""
        with file.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
            os.fsync(data.fileno())
        suffix = PurePosixPath(key).suffix.lower()
        suffix = suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= SUFFIX_CHARACTERS else ""
        size, place = file.stat().st_size, f"objects/{digest[:2]}/{digest}{suffix}"
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
        return place, size

    def known(self, collection: str) -> dict[str, Kept]:
        """Address to copy, as the last run of the collection left it."""
        try:
            rows = pl.read_parquet(self._memory(collection), glob=False).select(*SCHEMA).iter_rows()
        except (FileNotFoundError, pl.exceptions.PolarsError):
            return {}  # without it everything is fetched again
        return {address: Kept(*kept) for address, *kept in rows}

    def remember(self, collection: str, known: Mapping[str, Kept]) -> None:
        """Replace what is known of a collection. Raises OSError."""
        rows = [{"address": address, **asdict(kept)} for address, kept in sorted(known.items())]
        with replacing(self._memory(collection)) as beside:
            pl.DataFrame(rows, schema=SCHEMA).write_parquet(beside, compression="zstd")

    def manifest(self, address: str, suffix: str) -> Path:
        """Where the last good copy of a manifest is."""
        return self.folder / "manifests" / f"{sha256_text(address)[:32]}{suffix}"

    def purge(self) -> int:
        """Remove copies that no collection knows, and what killed runs left; returns the bytes. Raises OSError."""
        used, old, freed = set(), time.time() - GRACE_SECONDS, 0
        for memory in self._memories().glob("*.parquet"):
            try:
                used |= set(pl.read_parquet(memory, glob=False)["file"].to_list())
            except (FileNotFoundError, pl.exceptions.PolarsError):
                return 0  # whose copies they are cannot be told now
        for folder in ("objects", "incoming"):
            for file in sorted((self.folder / folder).rglob("*")):
                if file.is_file() and file.relative_to(self.folder).as_posix() not in used:
                    status = file.stat()
                    if status.st_mtime < old:
                        file.unlink(missing_ok=True)
                        freed += status.st_size
        return freed

    def _memory(self, collection: str) -> Path:
        return self._memories() / f"{collection}.parquet"

    def _memories(self) -> Path:
        return self.folder / "known"
