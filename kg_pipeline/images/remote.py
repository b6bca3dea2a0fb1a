"""Pictures of object stores and web servers: fetching what changed, and the rows that the copies become."""

import logging
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kg_pipeline.config import Collection, ImageInventory, Limits
from kg_pipeline.images.addresses import table_text
from kg_pipeline.images.places import Listed
from kg_pipeline.images.store_rows import StoreRow, place_name, rows_of
from kg_pipeline.stores import RUN, Fetching, Kept, Outcome, Patience, Servers, StoreCache, StoreError

SAVED_EVERY_SECONDS = 60.0
"""How much fetching a killed run loses: the copies stay, but not which object each is of."""

log = logging.getLogger(__name__)


@dataclass
class StoreReport:
    """What a run asked of the stores of a collection, and what came of it."""

    listed: int = 0
    """Objects that the stores and manifests named, pictures or not."""
    unchanged: int = 0
    """Pictures whose copy was there already."""
    fetched: int = 0
    skipped: int = 0
    unreadable: int = 0
    unlistable: int = 0
    """Stores and manifests that could not be read."""
    list_requests: int = 0
    read_requests: int = 0
    bytes: int = 0
    """Received."""
    freed_bytes: int = 0
    """Of copies that nobody knows any more."""

    def said(self) -> str:
        """In one line."""
        return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in asdict(self).items())


@dataclass
class RemotePictures:
    """Rows for the inventory, and what they cost."""

    listed: list[Listed] = field(default_factory=list)
    report: StoreReport = field(default_factory=StoreReport)


def fetch_pictures(collection: Collection, folder: Path, patience: Patience = RUN) -> RemotePictures:
    """Bring the copies below `folder` up to date with the stores of a collection; only what changed is fetched.

    A store that cannot be listed has a row with `children`, so that what is known of its pictures is carried on. Raises
    OSError when `folder` cannot be written.
    """
    found, inventories = RemotePictures(), [entry for entry in collection.images if entry.asks_servers]
    cache = StoreCache(folder)
    before = cache.known(collection.name)
    if not inventories and not before:
        return found
    after: dict[str, Kept] = {}
    for inventory in inventories:
        servers = Servers(inventory, patience)
        _fetch_place(collection, inventory, servers, cache, before, after, found)
        traffic, report = servers.traffic, found.report
        report.list_requests += traffic.listings
        report.read_requests += traffic.reads
        report.bytes += traffic.bytes
    cache.remember(collection.name, after)
    found.report.freed_bytes = cache.purge()
    log.info("stores of %s: %s", collection.name, found.report.said())
    return found


def _fetch_place(
    collection: Collection,
    inventory: ImageInventory,
    servers: Servers,
    cache: StoreCache,
    before: dict[str, Kept],
    after: dict[str, Kept],
    found: RemotePictures,
) -> None:
    """Fetch what one entry of `images:` names; adds to `after` and `found`."""
    place, report = place_name(inventory), found.report
    try:
        named = rows_of(inventory, servers, cache, before, after, collection.limits)
        _check_bytes(place, named.rows, collection.limits)
    except StoreError as error:
        log.warning("%s", error)
        report.unlistable += 1
        after.update({address: kept for address, kept in before.items() if kept.place == place})
        if inventory.manifest:
            return  # it has its row among the places of this machine
        children = f"{inventory.prefix}/"
        found.listed.append(Listed(inventory.prefix, place, status="unlistable", error=str(error), children=children))
        return
    report.listed += named.objects
    seen = {listed.identity for listed in found.listed if listed.status != "unlistable"}
    rows = [row for row in named.rows if (row.wish.item.address if row.wish else row.shown) not in seen]
    for row in rows:
        if row.wish is None:
            report.skipped += 1
            found.listed.append(_listed(inventory, row, None, cache))
    wishes = {row.wish.item.address: row for row in rows if row.wish}
    fetching = Fetching(cache, collection.limits.image_bytes)
    counts: Counter[str] = Counter()
    saved = time.monotonic()
    for batch in fetching.run([row.wish for row in wishes.values() if row.wish], f"fetching pictures of {place}"):
        for wish, outcome in batch:
            address = wish.item.address
            if kept := outcome.kept or before.get(address):
                after[address] = kept
            counts["fetched" if outcome.fetched else "unchanged" if outcome.status == "ok" else outcome.status] += 1
            found.listed.append(_listed(inventory, wishes[address], outcome, cache))
        if time.monotonic() - saved > SAVED_EVERY_SECONDS:
            cache.remember(collection.name, before | after)
            saved = time.monotonic()
    report.fetched += counts["fetched"]
    report.unchanged += counts["unchanged"]
    report.skipped += counts["skipped"]
    report.unreadable += counts["unreadable"]


def _check_bytes(place: str, rows: list[StoreRow], limits: Limits) -> None:
    total = sum(row.wish.item.bytes or 0 for row in rows if row.wish)
    if total > limits.store_bytes:
        raise StoreError(
            f"{place} holds pictures of {total:,} bytes, more than {limits.store_bytes:,} (limits.store_bytes); "
            "choose fewer with `include` and `exclude`, or raise the limit"
        )


def _listed(inventory: ImageInventory, row: StoreRow, outcome: Outcome | None, cache: StoreCache) -> Listed:
    # The path must not look like a way out of the place to whoever reads the table.
    parts = ("%2E%2E" if part == ".." else part for part in row.path.split("/"))
    path = table_text(f"{inventory.prefix}/{'/'.join(parts)}")
    if row.wish is None or outcome is None:
        return Listed(path, row.shown, status="skipped", error=row.error, identity=row.shown, origin=row.shown)
    item, kept = row.wish.item, outcome.kept
    return Listed(
        path,
        cache.path(kept).as_uri() if kept else item.address,
        kept.bytes if kept else item.bytes,
        (kept.modified_at if kept else None) or item.modified_at,
        outcome.status,
        outcome.error,
        item.address,
        origin=item.address,
    )
