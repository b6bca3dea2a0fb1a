"""An object as a store lists it, a way to ask for it, and how long to wait for an answer."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class StoreObject:
    """Something that can be fetched."""

    key: str
    """Its path below the place that listed it."""
    address: str
    """Whole, as it may be shown; tells one object from another."""
    bytes: int | None = None
    modified_at: datetime | None = None
    mark: str | None = None
    """Changes with the content: the ETag, else size and time. None when only fetching tells."""
    look: str = ""
    """What the listing says beside the name where it gives no mark: enough to see most changes, not to rely on."""
    ask: str = field(default="", repr=False)
    """What the server is asked for: a key, or an address with its signature."""


@dataclass(frozen=True)
class Received:
    """What came with the bytes of an object."""

    modified_at: datetime | None
    mark: str | None


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server."""

    connect_seconds: float
    read_seconds: float
    """Without a byte."""
    total_seconds: float
    """For one request, with all its bytes."""
    retries: int


RUN = Patience(10, 60, 600, 4)
LOOK = Patience(3, 8, 10, 1)
"""Of a sensor, whose tick ends after 60 s, and of the doctor."""


@dataclass
class Traffic:
    """What a store was asked, which is what providers charge for."""

    listings: int = 0
    reads: int = 0
    bytes: int = 0


class Store(Protocol):
    """A bucket, or web servers."""

    @property
    def traffic(self) -> Traffic:
        """What was asked so far."""

    def fetch(self, item: StoreObject, mark: str | None, into: BinaryIO, limit: int) -> Received | None:
        """Write the bytes to `into`; None when they are still those of `mark`. Safe to call from several threads.

        Raises ObjectError; RefusedError for more than `limit` bytes.
        """


def is_etag(mark: str | None) -> bool:
    """Whether a server can be asked for what no longer has this mark (RFC 9110, 8.8.3)."""
    return mark is not None and mark.startswith(('"', 'W/"'))
