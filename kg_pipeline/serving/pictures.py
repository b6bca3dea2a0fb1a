"""The pictures of a request: files inside the image roots, images of HOME by id, uploads; each bytes or an error."""

import binascii
import os
import re
import stat
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import polars as pl

from kg_pipeline.config import Limits
from kg_pipeline.images import ImageError, open_image_bytes
from kg_pipeline.serving.errors import OutsideRootsError
from kg_pipeline.storage import StorageError, TableStore

# What a client may mean as an address or a share: never opened, and refused so that nobody takes it for a file name.
ADDRESS = re.compile(
    r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*://|(?:file|data|ftp|https?|jar|blob):|[A-Za-z]:[\\/]|\\\\|//)", re.I
)
IMAGE_ID = re.compile(r"[0-9a-f]{64}")
OUTSIDE = "a path is not inside an image root of this server: {}"


@dataclass(frozen=True)
class Picture:
    """One picture of a request."""

    name: str
    """As the client wrote it."""
    data: bytes | None
    error: str | None = None
    """Why there are no bytes."""
    path: str | None = None
    """Whose words belong to the picture, when it is not `name`."""

    @cached_property
    def image_id(self) -> str | None:
        """SHA-256 of the bytes, as in the tables."""
        return sha256(self.data).hexdigest() if self.data is not None else None


def read_path(written: str, roots: Sequence[Path], limits: Limits) -> Picture:
    """The picture at a path inside one of `roots` (absolute, resolved). Raises OutsideRootsError.

    A relative path is taken from each root in turn. `..` and links are followed only as far as they stay inside.
    """
    if "\0" in written or ADDRESS.match(written):
        raise OutsideRootsError(OUTSIDE.format("addresses, shares and drive letters are not read"))
    inside = [found for root in roots if (found := _inside(written, root))]
    if not inside:
        raise OutsideRootsError(OUTSIDE.format("start the server with --image-root, or send the picture itself"))
    problem = ""
    for root, parts in inside:
        try:
            return _checked(Picture(written, _read_below(root, parts, limits)), limits)
        except OSError as error:
            problem = problem or f"cannot be read: {os.strerror(error.errno) if error.errno else 'no file'}"
    return Picture(written, None, problem)


def _inside(written: str, root: Path) -> tuple[Path, tuple[str, ...]] | None:
    """Root and parts of the real path below it; None when the path leaves the root, as written or by a link."""
    plain = os.path.normpath(root / written)
    if not Path(plain).is_relative_to(root):
        return None
    try:
        real = Path(os.path.realpath(plain))
    except OSError:
        return None
    return (root, real.relative_to(root).parts) if real.is_relative_to(root) else None


def _read_below(root: Path, parts: tuple[str, ...], limits: Limits) -> bytes:
    """The bytes of a regular file; no part may have become a link since it was resolved. Raises OSError."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # A pipe would wait for a writer for ever.
        number = os.open(parts[-1] if parts else ".", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    with open(number, "rb") as file:  # noqa: PTH123  (a file that is open already)
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        return file.read(min(status.st_size, limits.image_bytes) + 1)


def read_upload(name: str, data: bytes, limits: Limits) -> Picture:
    """A picture that came with the request."""
    return _checked(Picture(name, data), limits)


def read_base64(name: str, text: str, limits: Limits) -> Picture:
    """A picture in base64, with or without a `data:` prefix."""
    try:
        data = b64decode(text.partition(";base64,")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        return Picture(name, None, "its data is not base64")
    return _checked(Picture(name, data), limits)


def _checked(picture: Picture, limits: Limits) -> Picture:
    if not picture.data:
        return Picture(picture.name, None, "the file is empty", picture.path)
    if len(picture.data) > limits.image_bytes:
        return Picture(picture.name, None, f"more than {limits.image_bytes} bytes", picture.path)
    return picture


class HomePictures:
    """Images of the collections in HOME, by their id."""

    def __init__(self, store: TableStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    def read(self, image_id: str) -> Picture:
        """The image, from the first of its files that can be read; its `name` is the path in the table."""
        found = self._files(image_id) if IMAGE_ID.fullmatch(image_id) else []
        problem = "no collection of this server has an image of this id"
        for path, uri in found:
            try:
                data = open_image_bytes(uri, self._limits)
            except ImageError:
                problem = "its file cannot be read any more"
                continue
            if sha256(data).hexdigest() == image_id:
                return Picture(image_id, data, path=path)
            problem = "its file has changed since the last run"
        return Picture(image_id, None, problem, found[0][0] if found else None)

    def _files(self, image_id: str) -> list[tuple[str, str]]:
        files: list[tuple[str, str]] = []
        for collection in self._store.collections("image_files"):
            try:
                rows = (
                    self._store.scan("image_files", collection)
                    .filter(pl.col("image_id") == image_id, pl.col("uri").is_not_null())
                    .select("path", "uri")
                    .collect()
                )
            except (StorageError, OSError):
                continue  # a run is replacing it
            files += rows.rows()
        return files
