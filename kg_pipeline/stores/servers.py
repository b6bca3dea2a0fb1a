"""Who is asked for an address: the bucket or the web servers that the configuration allows, each opened once."""

from collections.abc import Iterator

from kg_pipeline.config import ImageInventory
from kg_pipeline.store_addresses import StoreAddress, parse_address
from kg_pipeline.stores.buckets import Bucket
from kg_pipeline.stores.fetching import PARALLEL
from kg_pipeline.stores.objects import Patience, Store, StoreObject, Traffic
from kg_pipeline.stores.web import Web
from kg_pipeline.stores.web_folder import WebFolder


class Servers:
    """The servers of one entry of `images:`."""

    def __init__(self, inventory: ImageInventory, patience: Patience) -> None:
        """Nothing is asked yet."""
        self._inventory = inventory
        self._patience = patience
        self._web = Web(self.allows, patience, PARALLEL)
        self._buckets: dict[str, Bucket] = {}
        self._allowed = [parse_address(host) for host in inventory.hosts]

    def allows(self, address: StoreAddress) -> bool:
        """Whether the configuration lets this address be asked for: the store's own server, and `hosts`."""
        own = self._inventory.address
        return (own is not None and own.server == address.server) or any(
            allowed.server == address.server
            and (allowed.path.rstrip("/") == "" or f"{address.path}/".startswith(f"{allowed.path.rstrip('/')}/"))
            for allowed in self._allowed
        )

    def pages(self, address: StoreAddress, after: str | None = None) -> Iterator[list[StoreObject]]:
        """All objects below an address, some at a time; in a bucket those behind the key `after`. Raises StoreError."""
        if address.is_web:
            return WebFolder(address, self._web).pages()
        return self._bucket(address).pages(after)

    def source(self, address: StoreAddress) -> Store:
        """What the objects below an address are fetched from. Raises StoreError."""
        return self._web if address.is_web else self._bucket(address)

    def _bucket(self, address: StoreAddress) -> Bucket:
        name = str(address)
        if name not in self._buckets:
            self._buckets[name] = Bucket(address, self._inventory.endpoint, self._patience)
        return self._buckets[name]

    def of(self, address: StoreAddress, key: str) -> tuple[StoreObject, Store]:
        """The object at an address, which is `key` among those of its place, and whom to ask. Raises StoreError."""
        if address.is_web:
            return StoreObject(key, str(address), ask=address.whole), self._web
        whole = StoreAddress(address.scheme, address.host, "")
        return StoreObject(key, str(address), ask=address.path), self._bucket(whole)

    @property
    def traffic(self) -> Traffic:
        """What all of them were asked."""
        stores: list[Store] = [self._web, *self._buckets.values()]
        return Traffic(
            sum(store.traffic.listings for store in stores),
            sum(store.traffic.reads for store in stores),
            sum(store.traffic.bytes for store in stores),
        )
