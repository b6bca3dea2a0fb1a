"""What the stores of a collection hold, as far as listings say it: within a time limit, gone on with later.

A bucket of a million objects is a thousand requests, more than a tick of the sensor has time for: each look goes on
behind the last key of the one before, and the state is known when the end is reached.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from kg_pipeline.config import Collection, ImageInventory
from kg_pipeline.ids import sha256_text
from kg_pipeline.images.places import matcher
from kg_pipeline.images.store_rows import MANIFEST_BYTES, is_wanted, place_name
from kg_pipeline.storage.atomic import replacing
from kg_pipeline.stores import LOOK, Servers, StoreError
from kg_pipeline.stores.errors import ObjectError


@dataclass
class Listing:
    """How far the listing of one store has come."""

    chain: str = ""
    """Hash of all keys and marks so far."""
    objects: int = 0
    after: str | None = None
    """The last key."""
    done: bool = False
    mark: str | None = None
    """Of a manifest: what the next request asks to differ from."""


@dataclass
class StoreStates:
    """What a look at all stores of a collection found."""

    lines: list[str] = field(default_factory=list)
    objects: int = 0
    pending: int = 0
    """Stores whose end was not reached."""
    problems: tuple[str, ...] = ()


def look_at_stores(collection: Collection, memory: Path, until: float) -> StoreStates:
    """The state of every store, listed until `time.monotonic()` is `until`; nothing but manifests is fetched.

    `memory` keeps how far it came; at least one page of one store is read each time.
    """
    inventories = [entry for entry in collection.images if entry.store]
    if not inventories:
        return StoreStates()
    known, states, problems = _recall(memory), StoreStates(), []
    listings: dict[str, Listing] = {}
    for inventory in inventories:
        place = place_name(inventory)
        listing = listings[place] = known.get(place, Listing())
        if not listing.done and (not states.pending):
            try:
                _go_on(inventory, listing, until)
            except StoreError as error:
                listings[place] = Listing(mark=listing.mark, chain=listing.chain) if listing.mark else Listing()
                problems.append(str(error))
                continue
        states.objects += listing.objects
        states.pending += not listing.done
        states.lines.append(f"{place}\0{listing.objects}:{listing.chain}")
    states.problems = tuple(problems)
    _remember(memory, listings)
    return states


def begin_again(memory: Path) -> None:
    """After a look that reached the end: the next one lists from the beginning."""
    if listings := _recall(memory):
        again = {
            place: Listing(listing.chain, listing.objects, mark=listing.mark) if listing.mark else Listing()
            for place, listing in listings.items()
        }
        _remember(memory, again)


def _go_on(inventory: ImageInventory, listing: Listing, until: float) -> None:
    address = inventory.address
    assert address is not None
    servers = Servers(inventory, LOOK)
    if address.is_manifest:
        _look_at_manifest(inventory, servers, listing)
        return
    wanted = matcher(inventory.include, inventory.exclude)
    for page in servers.pages(address, listing.after):
        for item in page:
            if is_wanted(item.key, wanted):
                listing.chain = sha256_text(f"{listing.chain}\n{item.key}\0{item.mark or item.look}")
        listing.objects += len(page)
        if page and not address.is_web:
            listing.after = page[-1].key
        if time.monotonic() > until:
            if address.is_web:
                raise StoreError(
                    f"{address} has too many folders to look at in one tick; use a schedule, or a manifest"
                )
            return
    if not listing.objects:
        raise StoreError(f"{address} holds nothing, as a folder that is not there does")
    listing.done = True


def _look_at_manifest(inventory: ImageInventory, servers: Servers, listing: Listing) -> None:
    """The manifest itself: whether pictures it names have changed is asked by a run, one by one."""
    address, data = inventory.address, BytesIO()
    assert address is not None
    try:
        item, store = servers.of(address, address.name)
        received = store.fetch(item, listing.mark, data, MANIFEST_BYTES)
    except ObjectError as error:
        raise StoreError(f"{address}: the manifest cannot be fetched: {error}") from None
    if received is not None:
        listing.chain, listing.mark = sha256(data.getvalue()).hexdigest(), received.mark
    listing.objects, listing.done = 1, True


def _recall(memory: Path) -> dict[str, Listing]:
    try:
        return {place: Listing(**listing) for place, listing in json.loads(memory.read_bytes()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}  # the listing begins again


def _remember(memory: Path, listings: dict[str, Listing]) -> None:
    with replacing(memory) as beside:
        text = json.dumps({place: asdict(listing) for place, listing in sorted(listings.items())}, ensure_ascii=False)
        beside.write_text(text, encoding="utf-8")
