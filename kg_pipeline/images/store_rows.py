"""What an entry of `images:` names on servers: the pictures of a listing, or the rows of a manifest."""

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import polars as pl

from kg_pipeline.config import SKIPPED_FOLDERS, Collection, ImageInventory, Limits
from kg_pipeline.images.manifests import MANIFEST_ERRORS, ManifestRow, is_address, read_manifest
from kg_pipeline.images.places import is_image_name, matcher
from kg_pipeline.progress import progress
from kg_pipeline.store_addresses import StoreAddress, parse_address
from kg_pipeline.stores import LOOK, Kept, Servers, StoreCache, StoreError, Wish
from kg_pipeline.stores.errors import ObjectError, plain

MANIFEST_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class StoreRow:
    """A picture that a place names: its path below the place, and the wish for it, or why there is none."""

    path: str
    wish: Wish | None
    shown: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Named:
    """What a place names: its pictures, and the number of all its objects."""

    rows: list[StoreRow]
    objects: int


def store_manifest_texts(collection: Collection, image_files: pl.DataFrame, folder: Path) -> dict[str, list[str]]:
    """Image id to what manifests say of pictures of stores, each text once; of copies what is said of any.

    Manifests of stores are read as they were fetched last, below `folder`; one that cannot be read says nothing here.
    """
    said: dict[str, list[str]] = defaultdict(list)
    for inventory in collection.images:
        for row in _known_rows(inventory, folder):
            with suppress(ValueError):  # its row in image_files has the reason
                said[str(row_address(inventory, row.path))] += row.texts
    found: dict[str, dict[str, None]] = defaultdict(dict)
    files = image_files.drop_nulls(["image_id", "origin"]).select("image_id", "origin")
    for image_id, origin in files.iter_rows() if said else ():
        found[image_id] |= dict.fromkeys(said.get(origin, ()))
    return {image_id: list(texts) for image_id, texts in found.items() if texts}


def _known_rows(inventory: ImageInventory, folder: Path) -> list[ManifestRow]:
    address = inventory.address
    try:
        if inventory.manifest:
            return _local_manifest(inventory) if inventory.hosts else []
        if address is None or not address.is_manifest:
            return []
        suffix = PurePosixPath(address.path).suffix.lower()
        return read_manifest(StoreCache(folder).manifest(str(address), suffix), suffix)
    except (*MANIFEST_ERRORS, StoreError):
        return []


def row_address(inventory: ImageInventory, written: str) -> StoreAddress:
    """The address that a row of a manifest names, relative ones from its own folder. Raises ValueError."""
    base = inventory.address
    if is_address(written) or base is None:
        return parse_address(written)
    path = posixpath.normpath(posixpath.join("/", posixpath.dirname(base.path), written)).lstrip("/")
    return parse_address(f"{base.server}/{path}")


def probe_store(inventory: ImageInventory) -> str:
    """What the store of an inventory answers to one request, in words. Raises StoreError."""
    address, servers = inventory.address, Servers(inventory, LOOK)
    assert address is not None
    if not address.is_manifest:
        page = next(servers.pages(address), [])
        wanted = matcher(inventory.include, inventory.exclude)
        pictures = sum(is_wanted(item.key, wanted) for item in page)
        if not page and not address.is_web:
            raise StoreError(f"{address} holds nothing, as a folder that is not there does")
        return f"can be listed; {pictures:,} pictures among the first {len(page):,} objects"
    with TemporaryDirectory() as folder:
        rows = _fetched_manifest(inventory, servers, StoreCache(Path(folder)), {}, {})
    return f"can be read; it names {len(rows):,} pictures"


def place_name(inventory: ImageInventory) -> str:
    """What messages call an entry of `images:` that asks servers."""
    return str(inventory.address) if inventory.address else inventory.location.as_uri()


def rows_of(
    inventory: ImageInventory,
    servers: Servers,
    cache: StoreCache,
    before: dict[str, Kept],
    after: dict[str, Kept],
    limits: Limits,
) -> Named:
    """Every picture that a place names, once. Raises StoreError."""
    address, wanted = inventory.address, matcher(inventory.include, inventory.exclude)
    if address is None:
        rows = _local_manifest(inventory)
    elif address.is_manifest:
        rows = _fetched_manifest(inventory, servers, cache, before, after)
    else:
        return _listed_rows(inventory, servers, before, wanted, limits)
    if len(rows) > limits.store_objects:
        raise StoreError(f"{place_name(inventory)} names more than {limits.store_objects:,} (limits.store_objects)")
    return Named(list(_manifest_rows(inventory, servers, before, wanted, rows)), len(rows))


def _listed_rows(
    inventory: ImageInventory,
    servers: Servers,
    before: dict[str, Kept],
    wanted: Callable[[str], bool],
    limits: Limits,
) -> Named:
    address, place = inventory.address, place_name(inventory)
    assert address is not None
    rows: list[StoreRow] = []
    advance, seen = progress(f"listing {place}"), 0
    source = servers.source(address)
    for page in servers.pages(address):
        seen += len(page)
        advance(seen)
        if seen > limits.store_objects:
            raise StoreError(f"{place} lists more than {limits.store_objects:,} objects (limits.store_objects)")
        rows += [
            StoreRow(item.key, Wish(item, place, source, before.get(item.address)))
            for item in page
            if is_wanted(item.key, wanted)
        ]
    progress(f"listing {place}", seen)(seen)  # only now is it known how many they are
    if not seen:
        # A folder of a bucket is there as long as something is in it.
        raise StoreError(
            f"{place} holds nothing, as a folder that is not there does; remove the entry to drop its pictures"
        )
    return Named(rows, seen)


def is_wanted(key: str, wanted: Callable[[str], bool]) -> bool:
    """Whether an object that a place lists is a picture of the collection."""
    return is_image_name(key) and wanted(key) and SKIPPED_FOLDERS.isdisjoint(key.split("/"))


def _local_manifest(inventory: ImageInventory) -> list[ManifestRow]:
    """The addresses in a manifest on this machine. Raises StoreError."""
    try:
        return [row for row in read_manifest(inventory.location) if is_address(row.path)]
    except MANIFEST_ERRORS as error:
        raise StoreError(f"{inventory.location} cannot be read: {error}") from None


def _fetched_manifest(
    inventory: ImageInventory, servers: Servers, cache: StoreCache, before: dict[str, Kept], after: dict[str, Kept]
) -> list[ManifestRow]:
    """The rows of a manifest, whose copy is replaced only by one that can be read. Raises StoreError."""
    address = inventory.address
    assert address is not None
    name, suffix = str(address), PurePosixPath(address.path).suffix.lower()
    copy, kept, file = cache.manifest(name, suffix), before.get(name), cache.temporary()
    item, store = servers.of(address, address.name)
    try:
        with file.open("wb") as into:
            received = store.fetch(item, kept.mark if kept and cache.has(kept) else None, into, MANIFEST_BYTES)
        if received is None and kept:
            after[name] = kept
            return read_manifest(copy, suffix)
        rows = read_manifest(file, suffix)
        if received:
            copy.parent.mkdir(parents=True, exist_ok=True)
            place, size = copy.relative_to(cache.folder).as_posix(), file.stat().st_size
            file.replace(copy)
            after[name] = Kept(name, place, size, received.modified_at, received.mark)
        return rows
    except ObjectError as error:
        raise StoreError(f"{name}: the manifest cannot be fetched: {error}") from None
    except MANIFEST_ERRORS as error:
        raise StoreError(f"{name}: the manifest cannot be read: {plain(str(error).replace(str(file), name))}") from None
    finally:
        file.unlink(missing_ok=True)


def _manifest_rows(
    inventory: ImageInventory,
    servers: Servers,
    before: dict[str, Kept],
    wanted: Callable[[str], bool],
    rows: list[ManifestRow],
) -> Iterator[StoreRow]:
    """Pictures that a manifest names, whatever their extension."""
    done: set[str] = set()
    for row in rows:
        try:
            address = row_address(inventory, row.path)
        except ValueError as error:
            shown = plain(row.path)
            if shown not in done:
                done.add(shown)
                yield StoreRow(shown, None, shown, str(error))
            continue
        shown = str(address)
        path = _path_below(inventory.address, address)
        if shown in done or not wanted(path):
            continue
        done.add(shown)
        if not servers.allows(address):
            yield StoreRow(path, None, shown, f"not asked for: `hosts` of the inventory does not name {address.server}")
            continue
        item, store = servers.of(address, path)
        yield StoreRow(path, Wish(item, place_name(inventory), store, before.get(shown)))


def _path_below(manifest: StoreAddress | None, address: StoreAddress) -> str:
    """Path of a picture from the manifest's folder, or with its host when it lies elsewhere."""
    whole = unquote(address.path) if address.is_web else address.path
    query = str(address).partition("?")[2] if address.is_web else ""
    whole += f"?{query}" if query else ""
    if manifest is not None and manifest.server == address.server:
        folder = posixpath.dirname(unquote(manifest.path) if manifest.is_web else manifest.path)
        return whole.removeprefix(f"{folder}/" if folder else "")
    return f"{address.host}/{whole}"
