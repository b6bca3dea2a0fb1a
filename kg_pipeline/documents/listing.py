"""Which files are documents: walking the roots, include and exclude, folders that cannot be listed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from kg_pipeline.config import SKIPPED_FOLDERS, DocumentRoot, is_never_content
from kg_pipeline.documents.formats import format_of


@dataclass(frozen=True)
class DocumentFile:
    """A file that should be a document."""

    root: DocumentRoot
    path: str
    """As in the table: relative to the root, preceded by the root's name where it has one."""
    file: Path
    leaves_root: bool = False
    """Whether it is a link to a file outside the root; such a file is not read."""


@dataclass(frozen=True)
class UnlistedFolder:
    """A folder whose content is not known."""

    root: DocumentRoot
    relative: str
    path: str
    file: Path
    error: str


def list_documents(root: DocumentRoot) -> Iterator[DocumentFile | UnlistedFolder]:
    """Files below a root that a parser is registered for, by path. Linked folders are not entered."""
    chosen = Selection(root)
    yield from _list(root, root.root, "", chosen)


class Selection:
    """The include and exclude patterns of a root."""

    def __init__(self, root: DocumentRoot) -> None:
        self._include = GitIgnoreSpec.from_lines(root.include)
        self._exclude = GitIgnoreSpec.from_lines(root.exclude)

    def includes(self, relative: str) -> bool:
        """Whether a path relative to the root is a document to read."""
        folders = relative.split("/")[:-1]
        return (
            format_of(relative) is not None
            and not any(is_skipped_folder(folder) for folder in folders)
            and self._include.match_file(relative)
            and not self._exclude.match_file(relative)
        )


def is_skipped_folder(name: str) -> bool:
    """Whether a folder of this name is never searched for documents: pictures in `.gitbook/assets` are used."""
    return name.startswith(".") or name in SKIPPED_FOLDERS


def table_path(root: DocumentRoot, relative: str) -> str:
    """`path` in the tables of what stands at `relative` below a root; `.` for a root without a name itself."""
    return "/".join(part for part in (root.name, relative) if part) or "."


def _leaves(root: DocumentRoot, link: str) -> bool:
    """Whether a link leads to a file outside the root. One that leads nowhere does not: it is unreadable."""
    return Path(link).exists() and not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(root.root))


def path_in_root(path: str, root: DocumentRoot, others: Sequence[DocumentRoot]) -> str | None:
    """The relative path of the document `path` of the table; None when it belongs to one of the other roots."""
    if root.name:
        return path.removeprefix(f"{root.name}/") if path.startswith(f"{root.name}/") else None
    return None if any(path.startswith(f"{other.name}/") for other in others) else path


def _list(
    root: DocumentRoot, folder: Path, relative: str, chosen: Selection
) -> Iterator[DocumentFile | UnlistedFolder]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        why = f"cannot list folder {folder}: {error.strerror or error}; check that it exists and may be read"
        yield UnlistedFolder(root, relative, table_path(root, relative), folder, why)
        return
    for entry in found:
        path = f"{relative}/{entry.name}" if relative else entry.name
        if entry.is_dir(follow_symlinks=False):
            if not is_skipped_folder(entry.name) and not is_never_content(Path(entry.path)):
                yield from _list(root, Path(entry.path), path, chosen)
        elif chosen.includes(path) and not (entry.is_symlink() and Path(entry.path).is_dir()):
            leaves = entry.is_symlink() and _leaves(root, entry.path)
            yield DocumentFile(root, table_path(root, path), Path(entry.path), leaves)
