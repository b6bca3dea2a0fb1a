"""From a target to a row of image_files, as a web server on a case-insensitive disk would find it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.request import url2pathname

import polars as pl

from kg_pipeline.config import Collection, DocumentRoot
from kg_pipeline.documents.parsed import EMBEDDED, NOT_EMBEDDED_KINDS
from kg_pipeline.documents.targets import (
    ABSOLUTE_FILE,
    DATA,
    REMOTE,
    SYSTEM_FOLDERS,
    folded,
    readings,
    spelling_rules,
)
from kg_pipeline.store_addresses import parse_address

# What Hugo, Docusaurus, VuePress, Vite and others serve as the root of the site.
STATIC_FOLDERS = ("static", "public", "assets", ".vuepress/public")
# A file that marks the folder that `/` means, and the folder below it that is served.
SITE_MARKERS = (("conf.py", ""), ("_config.yml", ""), ("mkdocs.yml", "docs"), ("mkdocs.yml", ""))
WILDCARD_EXTENSIONS = ("svg", "png", "gif", "jpg", "jpeg", "webp")
"""What Sphinx's `name.*` stands for, in the order of its HTML builder."""
# `{{ page.cover }}`, `{logo}`: which picture it is, only the site's own program knows.
_EXPRESSION = re.compile(r"\{(?!%)[^\"'`]*\}")
_DATA_CHARACTERS = 100
_NOT_AN_IMAGE = re.compile(
    r"\.(?:mp4|m4v|webm|ogv|ogg|mov|avi|mkv|mp3|wav|pdf|swf|glb|gltf|stl|step|zip|html?|js|json)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Resolution:
    """Where a target leads."""

    status: str
    target: str
    image_path: str | None = None
    image_id: str | None = None
    rule: str | None = None


@dataclass(frozen=True)
class _Image:
    path: str
    image_id: str | None
    file: str


@dataclass(frozen=True)
class _Place:
    """A file that a target may mean, and the rules that led there."""

    file: str
    rules: tuple[str, ...]
    exact: bool = False
    """Whether it counts only when it is spelled exactly so."""


class ImageResolver:
    """Finds the images of one collection. Nothing outside its roots, inventories and site roots is ever looked at."""

    def __init__(self, collection: Collection, image_files: pl.DataFrame) -> None:
        self._collection = collection
        # Links and markers do not change while one run reads; the next run looks again.
        self._real = cache(os.path.realpath)
        self._marked = cache(_marked)
        folders = [root.root for root in collection.roots]
        folders += [inventory.folder for inventory in collection.images if inventory.folder]
        folders += [_site_folder(root, folder) for root in collection.roots for folder in root.site_roots.values()]
        self._areas = tuple(dict.fromkeys(folded(self._real(folder)) for folder in folders))
        self._static_inventories = [
            self._real(inventory.folder)
            for inventory in collection.images
            if inventory.folder and inventory.folder.name in STATIC_FOLDERS
        ]
        self._images: dict[str, list[_Image]] = {}
        self._by_path: dict[str, list[_Image]] = {}
        self._by_name: dict[str, list[_Image]] = {}
        self._by_origin: dict[str, _Image] = {}
        self._ids: dict[str, str | None] = {}
        columns = image_files.sort("path").select("path", "uri", "image_id", "status", "origin")
        for path, uri, image_id, status, origin in columns.iter_rows():
            if origin and status != "unlistable":
                self._ids[path] = image_id
                self._by_origin.setdefault(origin, _Image(path, image_id, path))
            if status != "unlistable":
                self._by_path.setdefault(folded(path), []).append(_Image(path, image_id, path))
            if not (uri or "").startswith("file://") or status == "unlistable" or origin:
                continue
            self._ids[path] = image_id
            image = _Image(path, image_id, self._real_file(url2pathname(uri.removeprefix("file://"))))
            self._images.setdefault(folded(image.file), []).append(image)
            self._by_name.setdefault(folded(image.file.rsplit("/", 1)[-1]), []).append(image)

    def resolve(
        self, root: DocumentRoot, document: Path, target: str, kind: str, base: str | None = None
    ) -> Resolution:
        """What `target` in `document` means; `base` is the document's own HTML base."""
        found = self._find(root, document, target, kind, base)
        if kind in NOT_EMBEDDED_KINDS:
            return Resolution("not_embedded", found.target, found.image_path, found.image_id, found.rule)
        return found

    def resolve_path(self, target: str, kind: str) -> Resolution:
        """What `target` means in a text that lies in no folder: the image of that `path` in the inventory."""
        found = self._find_path(target)
        if kind in NOT_EMBEDDED_KINDS:
            return Resolution("not_embedded", found.target, found.image_path, found.image_id, found.rule)
        return found

    def resolve_embedded(self, document: str, name: str) -> Resolution:
        """The picture `name` inside the document of the path `document`."""
        path = f"{document}/{name}"
        image = next((image for image in self._by_path.get(folded(path), []) if image.path == path), None)
        if image is None:
            return Resolution("missing", name)
        return Resolution("ok", name, image.path, image.image_id, EMBEDDED)

    def _fetched(self, target: str) -> Resolution | None:
        """The picture that was fetched from just the address that the target is."""
        try:
            address = parse_address(f"https:{target}" if target.startswith("//") else target)
        except ValueError:
            return None
        image = self._by_origin.get(str(address))
        return Resolution("ok", target, image.path, image.image_id, "origin") if image else None

    def _find_path(self, target: str) -> Resolution:
        if DATA.match(target):
            return Resolution("unsupported", target[:_DATA_CHARACTERS])
        if self._by_origin and (fetched := self._fetched(target)):
            return fetched
        for text, rules in readings(target):
            path = os.path.normpath(text).lstrip("/")
            images = self._by_path.get(folded(path), [])
            image = next((image for image in images if image.path == path), images[0] if images else None)
            if image:
                led = (*rules, *spelling_rules(path, image.path), "inventory_path")
                return Resolution("ok", target, image.path, image.image_id, "+".join(dict.fromkeys(led)))
        if ABSOLUTE_FILE.match(target) or SYSTEM_FOLDERS.match(target):
            return Resolution("outside_root", target)
        return Resolution("remote" if REMOTE.match(target) else "missing", target)

    def refresh(self, root: DocumentRoot | None, reference: dict[str, object]) -> dict[str, object]:
        """A reference of an earlier run with the image it leads to now; `root` is None for a document of the graph."""
        target, kind = str(reference["target"]), str(reference["kind"])
        if kind == EMBEDDED:
            found = self.resolve_embedded(str(reference["document_path"]), target)
        elif root is None:
            found = self.resolve_path(target, kind)
        else:
            relative = str(reference["document_path"]).removeprefix(f"{root.name}/" if root.name else "")
            found = self.resolve(root, root.root / relative, target, kind)
        if found.image_path is None and reference["image_path"] in self._ids:
            # It was found through the page's own base address, which is no column.
            return reference | {"image_id": self._ids[str(reference["image_path"])]}
        status = reference["status"] if reference["status"] == "hidden" else found.status
        return reference | {
            "status": status,
            "image_path": found.image_path,
            "image_id": found.image_id,
            "resolution": found.rule,
        }

    def _find(self, root: DocumentRoot, document: Path, target: str, kind: str, base: str | None) -> Resolution:
        if DATA.match(target):
            return Resolution("unsupported", target[:_DATA_CHARACTERS])
        if self._by_origin and (fetched := self._fetched(target)):
            return fetched
        statuses = set()
        for place in self._places(root, document, target, kind, base):
            image = self._image(place)
            if image:
                rules = place.rules + spelling_rules(place.file, image.file)
                return Resolution("ok", target, image.path, image.image_id, "+".join(dict.fromkeys(rules)) or "exact")
            status = self._status(place.file)
            # What a fallback guesses says nothing about where the author pointed.
            if status != "outside_root" or not place.exact:
                statuses.add(status)
        return Resolution(_why_not(root, target, statuses), target)

    def _image(self, place: _Place) -> _Image | None:
        found = self._images.get(folded(place.file), [])
        same = [image for image in found if image.file == place.file]
        if same or place.exact:
            return same[0] if same else None
        return found[0] if found else None

    def _status(self, file: str) -> str:
        """outside_root, unsupported (a file that is no image of the inventory), or missing."""
        if not self._inside(file):
            return "outside_root"
        if _NOT_AN_IMAGE.search(file):
            return "unsupported"
        if not os.path.lexists(file):
            return "missing"
        if not self._inside(os.path.realpath(file)):
            return "outside_root"
        return "unsupported" if Path(file).is_file() else "missing"

    def _inside(self, file: str) -> bool:
        name = folded(file)
        return any(name == area or name.startswith(area.rstrip("/") + "/") for area in self._areas)

    def _real_file(self, file: str) -> str:
        """`file` with links in its folders resolved, but not the file itself."""
        folder, _, name = os.path.normpath(file).rpartition("/")
        return f"{self._real(folder or '/')}/{name}".replace("//", "/")

    # Where a target may lead

    def _places(self, root: DocumentRoot, document: Path, target: str, kind: str, base: str | None) -> Iterator[_Place]:
        for text, rules in readings(target):
            for place in self._read(root, document, text, base):
                for file, more in self._variants(place.file):
                    yield _Place(file, _joined(place.rules, rules, more), place.exact)
        if kind == "wiki_image":
            yield from self._by_wiki_name(root, target)

    def _variants(self, file: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield file, ()
        if file.endswith(".*"):
            for extension in WILDCARD_EXTENSIONS:
                yield f"{file[:-1]}{extension}", ("wildcard",)
        elif folded(file) not in self._images and self._inside(file):
            real = os.path.realpath(file)
            if real != file and self._inside(real):
                yield real, ("symlink",)

    def _read(self, root: DocumentRoot, document: Path, text: str, base: str | None) -> Iterator[_Place]:
        folder = self._real(document.parent)
        for prefix, site_folder in _site_prefixes(root, text):
            yield _Place(_join(self._real(_site_folder(root, site_folder)), text[len(prefix) :]), ("site_root",))
        if ABSOLUTE_FILE.match(text) or REMOTE.match(text):
            return
        absolute = next((prefix for prefix in ("@site/", "~/", "~@/", "@/", "/") if text.startswith(prefix)), None)
        if absolute:
            yield from self._from_site_root(root, folder, text[len(absolute) :])
            return
        if base and not REMOTE.match(base):
            if base.startswith("/"):
                for place in self._from_site_root(root, folder, base[1:].rpartition("/")[0] + "/" + text):
                    yield _Place(place.file, (*place.rules, "base"), place.exact)
            else:
                yield _Place(_join(folder, base.rpartition("/")[0], text), ("base",))
        yield _Place(_join(folder, text), ())

    def _from_site_root(self, root: DocumentRoot, folder: str, path: str) -> Iterator[_Place]:
        top = self._real(root.root)
        yield _Place(_join(top, path), ("site_root",))
        above = [top, *(ancestor for ancestor in _ancestors(folder, top) if ancestor != top)]
        for ancestor in above:
            for marked in self._marked(ancestor):
                yield _Place(_join(marked, path), ("site_root",), exact=True)
        for ancestor in above:
            for static in STATIC_FOLDERS:
                yield _Place(_join(ancestor, static, path), ("static_folder",), exact=True)
        for inventory in self._static_inventories:
            yield _Place(_join(inventory, path), ("static_folder",), exact=True)
            yield _Place(_join(inventory, "..", path), ("static_folder",), exact=True)

    def _by_wiki_name(self, root: DocumentRoot, target: str) -> Iterator[_Place]:
        """`![[name.png]]` means the file of that name nearest to the top, as in Obsidian."""
        top = self._real(root.root) + "/"
        name = folded(target.strip().replace("\\", "/"))
        found = [image for image in self._by_name.get(name.rsplit("/", 1)[-1], []) if image.file.startswith(top)]
        found = [image for image in found if folded("/" + image.file).endswith("/" + name)]
        for image in sorted(found, key=lambda image: (image.file.count("/"), image.file)):
            yield _Place(image.file, ("wiki_name",))


def _why_not(root: DocumentRoot, target: str, statuses: set[str]) -> str:
    """The status of a target that leads to no image, from those of the places where it was looked for."""
    if ABSOLUTE_FILE.match(target) or SYSTEM_FOLDERS.match(target) or target.startswith(f"{root.root}/"):
        return "outside_root"
    if REMOTE.match(target):
        return "remote"
    if _EXPRESSION.fullmatch(target):
        return "unsupported"
    return next((status for status in ("unsupported", "outside_root") if status in statuses), "missing")


def _site_prefixes(root: DocumentRoot, text: str) -> list[tuple[str, str]]:
    """Configured prefixes of `text`, the longest first."""
    matching = [(prefix, folder) for prefix, folder in root.site_roots.items() if prefix and text.startswith(prefix)]
    return sorted(matching, key=lambda item: (-len(item[0]), item[0]))


def _joined(place: tuple[str, ...], reading: tuple[str, ...], variant: tuple[str, ...]) -> tuple[str, ...]:
    # A template's base address is a site root: one name says it.
    place = tuple(rule for rule in place if not (rule == "site_root" and "liquid" in reading))
    return place + reading + variant


def _ancestors(folder: str, top: str) -> list[str]:
    """`folder` and the folders above it, up to and including `top`."""
    found = []
    while folder.startswith(top) and len(folder) >= len(top):
        found.append(folder)
        if folder == top:
            break
        folder = folder.rpartition("/")[0]
    return found


def _site_folder(root: DocumentRoot, folder: str) -> Path:
    return root.root / folder


def _marked(folder: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{served}".rstrip("/") for marker, served in SITE_MARKERS if Path(folder, marker).is_file())


def _join(folder: str, *parts: str) -> str:
    """Lexically, with `..` resolved; a part never replaces what is before it."""
    return os.path.normpath("/".join([folder, *(part for part in parts if part)]).replace("\0", ""))
