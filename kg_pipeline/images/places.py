"""The places on this machine that images are listed from: documents roots, then folders, archives and manifests."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pathspec import GitIgnoreSpec

from kg_pipeline.config import Collection, DocumentRoot, ImageInventory, Limits, is_never_content
from kg_pipeline.images.addresses import file_uri, member_uri, table_text
from kg_pipeline.images.archives import archive_kind, open_archive
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.formats import IMAGE_SUFFIXES
from kg_pipeline.images.manifests import MANIFEST_ERRORS, is_address, read_manifest, target
from kg_pipeline.stores.errors import plain


@dataclass(frozen=True)
class Listed:
    """An image that was found, or a place that could not be listed. Becomes a row of image_files."""

    path: str
    uri: str
    bytes: int | None = None
    modified_at: datetime | None = None
    status: str = "ok"
    error: str | None = None
    identity: str = ""
    """What two ways to the same bytes have in common: real path of the file, and the member's name."""
    children: str | None = None
    """Of a place that could not be listed: how the addresses (or, of a manifest, the paths) below it begin."""
    decorative: str | None = None
    """Why it is decoration by its place inside a document, else None."""
    origin: str | None = None
    """Address in a store or on a web server whose copy is at `uri`, None for what is on this machine."""


@dataclass(frozen=True)
class Root:
    """A documents root, with its real path (links resolved)."""

    config: DocumentRoot
    real: Path

    def table_path(self, relative: str) -> str:
        """`relative` as in image_files."""
        return table_text(f"{self.config.name}/{relative}" if self.config.name else relative)


def list_images(collection: Collection, embedded: Sequence[Listed] = (), remote: Sequence[Listed] = ()) -> list[Listed]:
    """Every image of every place, those inside documents and those of stores, each file once, in the order of paths."""
    roots = [Root(root, Path(os.path.realpath(root.root))) for root in collection.roots]
    found: dict[str, Listed] = {}
    seen: set[str] = set()
    for place in (
        *(_list_root(root) for root in roots),
        *(_list_inventory(inventory, roots, collection.limits) for inventory in collection.images),
        remote,
        embedded,
    ):
        new = [listed for listed in place if listed.identity not in seen or listed.status == "unlistable"]
        for listed in sorted(new, key=lambda listed: (listed.path, listed.uri)):
            free = _free_path(listed.path, found)
            found[free] = replace(listed, path=free)
        # Only now: two names of one file in the same place (a link beside it) are two paths that documents may use.
        seen.update(listed.identity for listed in new)
    return [found[path] for path in sorted(found)]


def _free_path(path: str, found: dict[str, Listed]) -> str:
    """`path`, or with ~2, ~3 … when an earlier place already has it."""
    candidate, number = path, 2
    while candidate in found:
        candidate, number = f"{path}~{number}", number + 1
    return candidate


def _list_root(root: Root) -> Iterator[Listed]:
    wanted = matcher(("**",), root.config.exclude)
    return _walk(root.config.root, root.table_path, root.config.name or ".", wanted)


def _list_inventory(inventory: ImageInventory, roots: list[Root], limits: Limits) -> Iterator[Listed]:
    if inventory.store:
        return iter(())
    wanted = matcher(inventory.include, inventory.exclude)
    location, prefix = inventory.location, inventory.prefix
    if inventory.archive:
        return _list_archive(location, prefix, wanted, limits)
    if inventory.manifest:
        return _list_manifest(inventory, wanted, roots)

    def table_path(relative: str) -> str:
        return _path_in_roots(location / relative, roots) or table_text(f"{prefix}/{relative}")

    return _walk(location, table_path, prefix, wanted)


def _path_in_roots(file: Path, roots: list[Root]) -> str | None:
    """Path of a file that lies inside a documents root; the link itself counts, not what it points to."""
    real = Path(os.path.realpath(file.parent)) / file.name
    root = next((root for root in roots if real.is_relative_to(root.real)), None)
    return root.table_path(real.relative_to(root.real).as_posix()) if root else None


def matcher(include: tuple[str, ...], exclude: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a path below a place is wanted; that of a folder ends with a slash."""
    included, excluded = GitIgnoreSpec.from_lines(include), GitIgnoreSpec.from_lines(exclude)
    if include == ("**",):
        return lambda path: not excluded.match_file(path)
    # A folder is entered whatever `include` says of it: it may say something of what lies below.
    return lambda path: (path.endswith("/") or included.match_file(path)) and not excluded.match_file(path)


def _walk(folder: Path, table_path: Callable[[str], str], name: str, wanted: Callable[[str], bool]) -> Iterator[Listed]:
    """Images below `folder`. Linked folders are not entered: inside they are listed where they really are."""
    real = os.path.realpath(folder)
    pending = [""]
    while pending:
        relative = pending.pop()
        here = folder / relative
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            path = table_path(relative.removesuffix("/")) if relative else name
            message = f"the folder cannot be listed: {error.strerror or error}"
            uri = file_uri(here)
            yield Listed(path, uri, status="unlistable", error=message, children=uri.removesuffix("/") + "/")
            continue
        for entry in entries:
            inner = relative + entry.name
            is_image = is_image_name(entry.name)
            if entry.is_dir(follow_symlinks=False):
                if wanted(f"{inner}/") and not is_never_content(Path(entry.path)):
                    pending.append(f"{inner}/")
            elif entry.is_symlink() and (is_image or Path(entry.path).is_dir()):
                if wanted(inner) and (listed := _link(Path(entry.path), table_path(inner), real, is_image)):
                    yield listed
            elif is_image and wanted(inner):
                yield file_row(Path(entry.path), table_path(inner))


def is_image_name(name: str) -> bool:
    """Whether a file is listed as an image."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def _link(path: Path, table_path: str, real_root: str, is_image: bool) -> Listed | None:
    target = os.path.realpath(path)
    if not Path(target).is_relative_to(real_root):
        message = "a link that leaves the folder; add its target as an inventory of its own"
        return Listed(table_path, file_uri(path), status="skipped", error=message, identity=f"link {path}")
    return file_row(path, table_path) if is_image and not Path(target).is_dir() else None


def file_row(path: Path, table_path: str) -> Listed:
    """Row of one file; nothing of it is read yet."""
    listed = Listed(table_path, file_uri(path), identity=os.path.realpath(path))
    try:
        status = path.stat()
    except OSError as error:
        return replace(listed, status="unreadable", error=f"cannot be read: {error.strerror or error}")
    if not stat.S_ISREG(status.st_mode):
        return replace(listed, status="skipped", error="not a regular file")
    # From nanoseconds: a float of seconds loses the last digits.
    modified = datetime.fromtimestamp(status.st_mtime_ns // 10**9, UTC)
    modified = modified.replace(microsecond=status.st_mtime_ns % 10**9 // 1000)
    return replace(listed, bytes=status.st_size, modified_at=modified)


def _list_archive(file: Path, prefix: str, wanted: Callable[[str], bool], limits: Limits) -> Iterator[Listed]:
    kind = archive_kind(file)
    real = os.path.realpath(file)
    try:
        if kind is None:
            raise ImageError(f"{file}: not an archive this program reads; give .zip, .tar, .tar.gz or .tgz")
        archive = open_archive(file, kind)
        try:
            members = archive.members(limits)
        finally:
            archive.close()
    except ImageError as error:
        children = member_uri(kind, file, "") if kind else None
        yield Listed(prefix, file_uri(file), status="unlistable", error=str(error), children=children)
        return
    for member in members:
        name = member.name.replace("\\", "/")  # some Windows programs divide folders so
        if not is_image_name(name) or not wanted(name):
            continue
        # The row of a refused name must not look like a way out of the archive to whoever reads the table.
        path = "/".join("%2E%2E" if part == ".." else part for part in name.lstrip("/").split("/"))
        yield Listed(
            table_text(f"{prefix}/{path.removeprefix('./')}"),
            member_uri(kind or "", file, member.name),
            member.bytes,
            member.modified_at,
            "skipped" if member.problem else "ok",
            member.problem,
            f"{real}!/{member.name}",
        )


def _list_manifest(inventory: ImageInventory, wanted: Callable[[str], bool], roots: list[Root]) -> Iterator[Listed]:
    """Files named by a manifest, whatever their extension."""
    file, prefix = inventory.location, inventory.prefix
    try:
        rows = read_manifest(file)
    except MANIFEST_ERRORS as error:
        message = f"the manifest cannot be read: {error}"
        yield Listed(prefix, file_uri(file), status="unlistable", error=message, children=f"{prefix}/")
        return
    done = set()
    for written in (row.path for row in rows):
        if is_address(written):
            if inventory.hosts:
                continue  # among the pictures of stores
            message = "an address, and nothing is fetched from a server that `hosts` of the inventory does not name"
            shown = plain(written)
            yield Listed(table_text(f"{prefix}/{shown}"), shown, status="skipped", error=message, identity=shown)
            continue
        path = target(file, written)
        if path in done:
            continue
        done.add(path)
        inside = path.is_relative_to(file.parent)
        relative = path.relative_to(file.parent if inside else path.anchor).as_posix()
        if wanted(relative):
            yield file_row(path, _path_in_roots(path, roots) or table_text(f"{prefix}/{relative}"))
