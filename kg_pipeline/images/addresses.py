"""Addresses of images (file://, zip://…!/member, tar://…!/member) and the bytes behind them."""

import os
import re
import stat
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, unquote

from kg_pipeline.config import Limits
from kg_pipeline.images.archives import Archive, open_archive
from kg_pipeline.images.errors import ImageError, SkippedError, UnreadableError

ADDRESS = re.compile(r"(?P<kind>file|zip|tar)://(?P<file>/[^!]*)(!/(?P<member>.+))?", re.DOTALL)
UNDECODABLE = re.compile("[\udc80-\udcff]")


class Address(NamedTuple):
    """Where bytes are: a file, or a member of an archive file."""

    kind: str
    file: Path
    member: str | None


def file_uri(path: Path) -> str:
    """file:///… of an absolute path; undecodable bytes are percent-encoded as they are."""
    return path.as_uri()


def member_uri(kind: str, archive: Path, member: str) -> str:
    """zip:///abs/archive.zip!/member; a `!` in the archive's own path is percent-encoded, so the first one divides."""
    return f"{kind}{archive.as_uri().removeprefix('file')}!/{quote(os.fsencode(member))}"


def parse_uri(uri: str) -> Address:
    """The parts of an address. Raises ImageError."""
    match = ADDRESS.fullmatch(uri)
    if match is None or (match["kind"] == "file") != (match["member"] is None):
        raise ImageError(f"{uri}: not an address of an image; expected file:///…, zip:///…!/… or tar:///…!/…")
    member = _unquoted(match["member"]) if match["member"] else None
    return Address(match["kind"], Path(_unquoted(match["file"])), member)


def table_text(name: str) -> str:
    """`name` as valid UTF-8: bytes of a file name that are none become %XX."""
    return UNDECODABLE.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)


def open_image_bytes(uri: str, limits: Limits) -> bytes:
    """The bytes at `uri`. Raises ImageError (missing, damaged or beyond the limits)."""
    with ImageReader(limits) as reader:
        return reader.read(uri)


class ImageReader:
    """Reads images one after the other; keeps the last archive open, since neighbours mostly share it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._archive: Archive | None = None
        self._archive_file: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive that is still open."""
        if self._archive is not None:
            self._archive.close()
        self._archive = self._archive_file = None

    def read(self, uri: str) -> bytes:
        """The bytes at `uri`. Raises ImageError, UnreadableError, SkippedError."""
        address = parse_uri(uri)
        data = (
            _read_file(address.file, self._limits)
            if address.member is None
            else self._opened(address).read(address.member, self._limits)
        )
        if len(data) > self._limits.image_bytes:
            raise SkippedError(f"more than {self._limits.image_bytes} bytes (limits.image_bytes)")
        return data

    def _opened(self, address: Address) -> Archive:
        if self._archive is None or self._archive_file != address.file:
            self.close()
            self._archive = open_archive(address.file, address.kind)
            self._archive_file = address.file
        return self._archive


def _read_file(path: Path, limits: Limits) -> bytes:
    try:
        # Opening a pipe would wait for a writer for ever.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SkippedError("not a regular file")
        with path.open("rb") as file:
            # Python sets aside as many bytes as are asked for: not the limit for every icon.
            return file.read(min(status.st_size, limits.image_bytes) + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from error


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogateescape")
