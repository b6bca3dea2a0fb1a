"""Archives of images: zip and tar read in place, never unpacked, each member checked before it is touched."""

import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from kg_pipeline.config import Limits
from kg_pipeline.gbk import gbk_text
from kg_pipeline.images.errors import SkippedError, UnreadableError

# What zipfile and tarfile let through for damaged or unknown input.
ARCHIVE_ERRORS = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
)
UTF_8_NAME = 0x800
"""Flag of a zip member."""
UNSAFE_NAME = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")


@dataclass(frozen=True)
class Member:
    """A file in an archive; `problem` says why it must not be read."""

    name: str
    bytes: int
    modified_at: datetime | None
    problem: str | None


class Archive(Protocol):
    """An open archive."""

    kind: str

    def members(self, limits: Limits) -> list[Member]:
        """All its files; of several with one name the last, as unpacking would leave. Raises ImageError."""

    def read(self, name: str, limits: Limits) -> bytes:
        """The bytes of one file. Raises UnreadableError, SkippedError."""

    def close(self) -> None:
        """Close the file."""


def archive_kind(path: Path) -> str | None:
    """`zip` or `tar` by the file's name."""
    name = path.name.lower()
    if name.endswith(".zip"):
        return "zip"
    return "tar" if name.endswith((".tar", ".tar.gz", ".tgz")) else None


def open_archive(path: Path, kind: str) -> Archive:
    """Open an archive of this kind. Raises UnreadableError."""
    try:
        return ZipImages(path) if kind == "zip" else TarImages(path)
    except ARCHIVE_ERRORS as error:
        raise UnreadableError(f"{path}: cannot be opened as {kind} archive: {error}") from error


class ZipImages:
    """A zip archive."""

    kind = "zip"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path)
        self._infos = {_zip_name(info): info for info in self._zip.infolist() if not info.is_dir()}

    def members(self, limits: Limits) -> list[Member]:
        """See Archive."""
        unpacked = sum(info.file_size for info in self._infos.values())
        check_size(self._path, len(self._zip.infolist()), unpacked, limits)
        return [
            Member(name, info.file_size, _zip_time(info), self._problem(name, info, limits))
            for name, info in self._infos.items()
        ]

    def read(self, name: str, limits: Limits) -> bytes:
        """See Archive."""
        try:
            info = self._infos[name]
            if problem := self._problem(name, info, limits):
                raise SkippedError(f"{self._path}: {name}: {problem}")
            with self._zip.open(info) as file:
                return file.read(min(info.file_size, limits.image_bytes) + 1)
        except ARCHIVE_ERRORS as error:
            raise UnreadableError(f"{self._path}: cannot read member {name}: {error}") from error

    def close(self) -> None:
        """See Archive."""
        self._zip.close()

    @staticmethod
    def _problem(name: str, info: zipfile.ZipInfo, limits: Limits) -> str | None:
        if UNSAFE_NAME.search(name):
            return "its name leaves the archive"
        if info.flag_bits & 1:
            return "it is encrypted"
        if stat.S_ISLNK(info.external_attr >> 16):
            return "it is a link"
        if info.file_size > limits.archive_ratio * max(info.compress_size, 1):
            return f"it is packed tighter than {limits.archive_ratio} to 1 (limits.archive_ratio)"
        return None


class TarImages:
    """A tar archive, packed or not."""

    kind = "tar"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tar = tarfile.open(path)  # noqa: SIM115 (closed by close)
        self._index: dict[str, tarfile.TarInfo] | None = None

    def members(self, limits: Limits) -> list[Member]:
        """See Archive."""
        return [
            Member(info.name, info.size, datetime.fromtimestamp(info.mtime, UTC), self._problem(info))
            for info in self._infos(limits).values()
        ]

    def read(self, name: str, limits: Limits) -> bytes:
        """See Archive."""
        info = self._infos(limits).get(name)
        if info is None:
            raise UnreadableError(f"{self._path}: has no member {name}")
        if problem := self._problem(info):
            raise SkippedError(f"{self._path}: {name}: {problem}")
        try:
            file = self._tar.extractfile(info)
            data = file.read(min(info.size, limits.image_bytes) + 1) if file else b""
        except ARCHIVE_ERRORS as error:
            raise UnreadableError(f"{self._path}: cannot read member {name}: {error}") from error
        if len(data) < min(info.size, limits.image_bytes + 1):
            raise UnreadableError(f"{self._path}: member {name} is cut off after {len(data)} of {info.size} bytes")
        return data

    def close(self) -> None:
        """See Archive."""
        self._tar.close()

    def _infos(self, limits: Limits) -> dict[str, tarfile.TarInfo]:
        if self._index is None:
            try:
                self._index = {info.name: info for info in self._checked(limits) if not info.isdir()}
            except ARCHIVE_ERRORS as error:
                raise UnreadableError(f"{self._path}: the archive is damaged: {error}") from error
        return self._index

    def _checked(self, limits: Limits) -> Iterator[tarfile.TarInfo]:
        # Before going on to the next header tarfile unpacks what lies between, so a bomb must be seen in its header.
        packed, total = self._path.stat().st_size, 0
        for count, info in enumerate(self._tar, start=1):
            total += info.size
            check_size(self._path, count, total, limits)
            if total > limits.archive_ratio * packed:
                raise SkippedError(
                    f"{self._path}: is packed tighter than {limits.archive_ratio} to 1 (limits.archive_ratio)"
                )
            yield info

    @staticmethod
    def _problem(info: tarfile.TarInfo) -> str | None:
        if UNSAFE_NAME.search(info.name):
            return "its name leaves the archive"
        if not info.isreg():
            return "it is a link or a device"
        return None


def check_size(path: Path, members: int, total: int, limits: Limits) -> None:
    """Raise SkippedError for an archive beyond the limits."""
    if members > limits.archive_members:
        raise SkippedError(f"{path}: has more than {limits.archive_members} members (limits.archive_members)")
    if total > limits.archive_bytes:
        raise SkippedError(f"{path}: unpacks to more than {limits.archive_bytes} bytes (limits.archive_bytes)")


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as its maker saw it: where it does not say that it is UTF-8, it may be so still, or GBK."""
    if info.flag_bits & UTF_8_NAME or info.filename.isascii():
        return info.filename
    try:
        data = info.filename.encode("cp437")  # what zipfile took it for, as the format says
    except UnicodeEncodeError:
        return info.filename
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return gbk_text(data) or info.filename


def _zip_time(info: zipfile.ZipInfo) -> datetime | None:
    # Zip stores local time without a zone; read as UTC it is the same on every machine.
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None
