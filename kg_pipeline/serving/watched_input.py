"""What a job of the watched folder holds: the query of its .txt and the pictures of its .zip, unless they may harm."""

import codecs
import stat
import zipfile
from pathlib import Path, PurePosixPath

from kg_pipeline.config import Limits
from kg_pipeline.documents.decoding import BinaryFileError, decode
from kg_pipeline.gbk import gbk_text
from kg_pipeline.images.archives import ARCHIVE_ERRORS, Archive, Member, open_archive
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.formats import IMAGE_SUFFIXES
from kg_pipeline.serving.pictures import Picture

WATCH_LIMITS = Limits(
    image_bytes=32_000_000, image_pixels=50_000_000, archive_members=2_000, archive_bytes=2_000_000_000
)
"""Of one job; its pictures are held in memory while it is scored."""
QUERY_BYTES = 100_000
ARCHIVE_SUFFIXES = frozenset({".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})
NO_CONTENT = ("__MACOSX/", "._", ".")
"""What macOS and others put beside pictures: folders and names that begin so."""
MOST_NAMED = 5


class JobError(Exception):
    """A job cannot be done as it is; the message says why, and what to do."""


def incomplete(query: Path, archive: Path) -> str | None:
    """What is missing of files that may still be written; None when both are whole. Raises OSError."""
    if query.stat().st_size == 0:
        return "the query is empty"
    with archive.open("rb") as file:
        try:
            # Its end record is written last, and the list of members must lie where the record says.
            zipfile.ZipFile(file).close()
        except OSError:
            archive.stat()  # raises where the folder is gone, which is no fault of the file
            return "the .zip is damaged"
        except ARCHIVE_ERRORS:
            return "the .zip is not complete, or is no zip archive"
    return None


def read_query(path: Path) -> str:
    """The query, from UTF-8, UTF-16 with a BOM, or GBK. Raises JobError, OSError."""
    data = _regular(path, QUERY_BYTES)
    try:
        text = _decoded(data).strip("\ufeff \t\r\n\v\f\u3000\u200b")
    except BinaryFileError as error:
        raise JobError(f"the .txt is no text: {error}") from error
    if not text:
        raise JobError("the query is empty: write what the pictures are to show into the .txt")
    return text


def _regular(path: Path, most: int) -> bytes:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise JobError(f"{path.name} is a link or a device")
    if status.st_size > most:
        raise JobError(f"a query of {status.st_size} bytes; {most} are taken")
    return path.read_bytes()


def _decoded(data: bytes) -> str:
    if not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            # A sentence is too short to guess from by statistics.
            if (text := gbk_text(data)) is not None:
                return text
    return decode(data)


def read_pictures(path: Path, limits: Limits) -> list[Picture]:
    """The pictures of a zip file, by the names that they have in it; one that is broken has an error instead of bytes.

    Raises JobError for an archive that is refused as a whole, OSError when the file is gone.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise JobError(f"{path.name} is a link or a device")
    try:
        archive = open_archive(path, "zip")
        try:
            return [_picture(archive, member, limits) for member in _pictures_of(archive, path, limits)]
        finally:
            archive.close()
    except ImageError as error:
        path.stat()
        raise JobError(f"the .zip is refused: {str(error).removeprefix(f'{path}: ')}") from error


def _pictures_of(archive: Archive, path: Path, limits: Limits) -> list[Member]:
    members = archive.members(limits)
    # Members may overlap in the file, so that each alone looks harmless.
    if sum(member.bytes for member in members) > limits.archive_ratio * path.stat().st_size:
        raise JobError(f"the .zip is refused: it is packed tighter than {limits.archive_ratio} to 1 as a whole")
    content = [member for member in members if not _is_no_content(member.name)]
    if bad := [f"{member.name!r}: {member.problem}" for member in members if member.problem]:
        raise JobError(f"the .zip is refused: {_some(bad)}")
    if nested := [repr(member.name) for member in content if _suffix(member) in ARCHIVE_SUFFIXES]:
        raise JobError(f"the .zip holds archives ({_some(nested)}): put the pictures themselves into it")
    pictures = [member for member in content if _suffix(member) in IMAGE_SUFFIXES]
    if not pictures:
        raise JobError(f"the .zip holds no picture ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return pictures


def _picture(archive: Archive, member: Member, limits: Limits) -> Picture:
    if member.bytes > limits.image_bytes:
        return Picture(member.name, None, f"more than {limits.image_bytes} bytes")
    try:
        data = archive.read(member.name, limits)
    except ImageError:
        return Picture(member.name, None, "it is damaged in the .zip")
    return Picture(member.name, data) if data else Picture(member.name, None, "the file is empty")


def _is_no_content(name: str) -> bool:
    return any(part.startswith(NO_CONTENT) or f"{part}/" == NO_CONTENT[0] for part in PurePosixPath(name).parts)


def _suffix(member: Member) -> str:
    return PurePosixPath(member.name).suffix.lower()


def _some(items: list[str]) -> str:
    more = len(items) - MOST_NAMED
    return ", ".join(items[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
