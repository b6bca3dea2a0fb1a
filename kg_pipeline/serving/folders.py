"""What lies in the image roots of a server: folders and pictures, named as a request for scores names them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kg_pipeline.images.formats import IMAGE_SUFFIXES
from kg_pipeline.serving.errors import OutsideRootsError, RefusedError
from kg_pipeline.serving.pictures import ADDRESS, OUTSIDE

MOST_PICTURES = 5_000
MOST_FOLDERS = 1_000
DEEPEST = 12
"""Folders below the one that is asked for, where all of them are looked into."""


@dataclass(frozen=True)
class Entry:
    """A folder or picture; `path` is what a request names it by."""

    name: str
    path: str


@dataclass(frozen=True)
class Listing:
    """One folder. `path` is empty at the top."""

    path: str
    parent: str | None
    folders: tuple[Entry, ...]
    pictures: tuple[Entry, ...]
    complete: bool
    """Whether nothing is left out for being too much."""


def list_folder(written: str, roots: Sequence[Path], *, deep: bool = False) -> Listing:
    """Folders and pictures, sorted by name; `deep`: also the pictures of all folders below.

    `roots` are absolute and resolved. Of several roots each is a folder at the top, and paths are absolute; of a single
    one the top is the root itself, and paths are relative to it. Hidden names are left out, links that lead out of the
    root too. Raises OutsideRootsError, RefusedError.
    """
    if not written and len(roots) > 1:
        entries = tuple(Entry(root.name or str(root), str(root)) for root in roots)
        return Listing("", None, entries, (), True)
    root, folder = _find(written, roots)
    named_from = root if len(roots) == 1 else Path(root.anchor)
    try:
        names = sorted(_entries(folder, root), key=lambda entry: entry.name.casefold())
        pictures = sorted(_pictures(folder, root, DEEPEST if deep else 0), key=lambda path: str(path).casefold())
    except OSError as error:
        raise RefusedError(f"the folder cannot be listed: {os.strerror(error.errno or 0)}") from error

    def entry(path: Path, name: str) -> Entry:
        relative = str(path.relative_to(named_from))
        return Entry(name, relative if len(roots) == 1 else str(path))

    folders = [entry(folder / each.name, each.name) for each in names if each.is_dir()]
    here = "" if folder == root and len(roots) == 1 else entry(folder, "").path
    parent = None if not here else "" if folder == root else entry(folder.parent, "").path
    return Listing(
        path=here,
        parent="" if parent == "." else parent,
        folders=tuple(folders[:MOST_FOLDERS]),
        pictures=tuple(entry(path, str(path.relative_to(folder))) for path in pictures[:MOST_PICTURES]),
        complete=len(folders) <= MOST_FOLDERS and len(pictures) <= MOST_PICTURES,
    )


def _find(written: str, roots: Sequence[Path]) -> tuple[Path, Path]:
    """Root and real folder inside it."""
    if "\0" in written or ADDRESS.match(written):
        raise OutsideRootsError(OUTSIDE.format("addresses, shares and drive letters are not read"))
    inside = False
    for root in roots:
        plain = os.path.normpath(root / written)
        if not Path(plain).is_relative_to(root):
            continue
        try:
            real = Path(os.path.realpath(plain))
            if real.is_relative_to(root):
                inside = True
                if real.is_dir():
                    return root, real
        except (OSError, ValueError):
            continue
    if inside:
        raise RefusedError("there is no such folder")
    raise OutsideRootsError(OUTSIDE.format("folders are listed inside the roots only"))


def _entries(folder: Path, root: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not _is_text(entry.name):
                continue
            if not entry.is_symlink() or Path(os.path.realpath(entry.path)).is_relative_to(root):
                yield entry


def _pictures(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    for entry in _entries(folder, root):
        if entry.is_dir():
            # A link to a folder above would lead round in circles.
            if depth and not entry.is_symlink():
                yield from _pictures(Path(entry.path), root, depth - 1)
        elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            yield Path(entry.path)


def _is_text(name: str) -> bool:
    """Whether a request can name it: JSON has no way to write bytes that are no UTF-8."""
    return name.isprintable() or not any("\udc80" <= letter <= "\udcff" for letter in name)
