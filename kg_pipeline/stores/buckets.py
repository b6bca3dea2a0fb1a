"""Amazon S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage: through obstore."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

from kg_pipeline.store_addresses import StoreAddress
from kg_pipeline.stores.errors import AwayError, ObjectError, RefusedError, StoreError, plain
from kg_pipeline.stores.objects import Patience, Received, StoreObject, Traffic, is_etag

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

PAGE = 1000
"""Objects of one answer: the most that the three providers give."""
PIECE = 1 << 20
STATUS = re.compile(r"status code: (\d{3})")
UNANSWERED = re.compile(r"error sending request|timed out|HTTP error|Connect|dns error", re.IGNORECASE)
KIND = re.compile(r"kind: (Connect|Timeout|Interrupted|Request|Decode)\b")
TIMES = re.compile(r" in [\d.]+ ?[nµm]?s\b(, after \d+ retries, max_retries: \d+, retry_timeout: \S+)?")
EXTRA = "the extra `stores` is not installed: uv sync --extra stores"
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; AWS_REGION; AWS_SKIP_SIGNATURE=true for a "
    "public bucket",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS; GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN; "
    "AZURE_SKIP_SIGNATURE=true for a public container",
}
ENDPOINT_KEYS = {"s3": "endpoint", "gs": "base_url", "az": "endpoint"}


class Bucket:
    """The objects below one prefix of a bucket."""

    def __init__(self, address: StoreAddress, endpoint: str | None, patience: Patience) -> None:
        """Nothing is asked yet. Raises StoreError."""
        self._address = address
        self._store = _opened(address, endpoint, patience)
        self._lock = threading.Lock()
        self.traffic = Traffic()

    def pages(self, after: str | None = None) -> Iterator[list[StoreObject]]:
        """All objects by key, up to 1,000 at a time, or those behind the key `after`. Raises StoreError."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            for page in obstore.list(self._store, offset=after, chunk_size=PAGE):
                self.traffic.listings += 1
                yield [self._listed(meta) for meta in page]
        except (BaseError, OSError, ValueError) as error:
            raise StoreError(self._unlisted(error)) from None  # the library's own text may hold a signature

    def fetch(self, item: StoreObject, mark: str | None, into: BinaryIO, limit: int) -> Received | None:
        """See Store."""
        import obstore
        from obstore.exceptions import BaseError, NotModifiedError

        with self._lock:
            self.traffic.reads += 1
        size = 0
        try:
            options: GetOptions = {"if_none_match": mark} if is_etag(mark) else {}
            answer = obstore.get(self._store, item.ask, options=options)
            meta = answer.meta
            if meta["size"] > limit:
                raise RefusedError(f"{meta['size']:,} bytes, more than the limit of {limit:,}")
            for piece in answer.stream(PIECE):
                size += into.write(piece)
                if size > limit:
                    raise RefusedError(f"more than the limit of {limit:,} bytes")
        except NotModifiedError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise _object_error(error) from None
        finally:
            with self._lock:
                self.traffic.bytes += size
        if size != meta["size"]:
            raise ObjectError(f"came incomplete: {size:,} of {meta['size']:,} bytes")
        return Received(meta["last_modified"].astimezone(UTC), _mark(meta))

    def _listed(self, meta: Any) -> StoreObject:
        address = str(self._address).rstrip("/")
        return StoreObject(
            meta["path"],
            f"{address}/{meta['path']}",
            meta["size"],
            meta["last_modified"].astimezone(UTC),
            _mark(meta),
            ask=meta["path"],
        )

    def _unlisted(self, error: Exception) -> str:
        found, what = STATUS.search(str(error)), f"{self._address} cannot be listed"
        status = found[1] if found else ""
        if status in ("401", "403") or type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
            return f"{what}: denied ({status or plain(error)}); credentials are {CREDENTIALS[self._address.scheme]}"
        if status == "404":
            return f"{what}: there is no bucket or container of that name (404)"
        if type(error).__name__ == "InvalidPathError":
            return f"{what}: a key in it has an empty or dotted part, which cannot be read: {plain(error)}; rename it"
        if "169.254.169.254" in str(error):
            return f"{what}: no credentials; set {CREDENTIALS[self._address.scheme]}"
        return f"{what}: {_reason(error)}"


def _reason(error: Exception) -> str:
    """Why, in words that are the same each time: tables repeat them."""
    text = str(error)
    if status := STATUS.search(text):
        return f"the server answers {status[1]}"
    if UNANSWERED.search(text):
        kind = KIND.search(text)
        return f"the server does not answer ({kind[1].lower() if kind else 'no connection'})"
    return plain(TIMES.sub("", text))


def _object_error(error: Exception) -> ObjectError:
    found = STATUS.search(str(error))
    if isinstance(error, FileNotFoundError):
        return ObjectError("is gone since it was listed (404)")
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return ObjectError(f"denied ({found[1] if found else 'no permission'})")
    if found is None and UNANSWERED.search(str(error)):
        return AwayError(_reason(error))
    return ObjectError(f"cannot be fetched: {_reason(error)}")


def _mark(meta: Any) -> str:
    etag: str | None = meta["e_tag"]
    if etag:
        # Azure's listings leave out the quotes that its answers have.
        return etag if is_etag(etag) else f'"{etag}"'
    return f"{meta['size']}:{meta['last_modified'].astimezone(UTC).isoformat()}"


def _opened(address: StoreAddress, endpoint: str | None, patience: Patience) -> "ObjectStore":
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise StoreError(f"{address} cannot be listed: {EXTRA}") from error
    kinds: dict[str, Callable[..., ObjectStore]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    options: dict[str, Any] = {
        "client_options": {
            "connect_timeout": timedelta(seconds=patience.connect_seconds),
            "read_timeout": timedelta(seconds=patience.read_seconds),
            "timeout": timedelta(seconds=patience.total_seconds),
            "user_agent": "kg-pipeline",
        },
        "retry_config": {
            "max_retries": patience.retries,
            "retry_timeout": timedelta(seconds=patience.total_seconds),
        },
        "config": {},
    }
    if endpoint:
        options["config"][ENDPOINT_KEYS[address.scheme]] = endpoint
        options["client_options"]["allow_http"] = endpoint.startswith("http://")
    if address.scheme == "s3" and os.environ.get("AWS_PROFILE"):
        options["credential_provider"] = _profile(address)
    try:
        return kinds[address.scheme](address.host, prefix=address.path.strip("/") or None, **options)
    except (BaseError, ValueError, TypeError) as error:
        raise StoreError(f"{address} cannot be listed: {plain(error)}") from None


def _profile(address: StoreAddress) -> Any:
    try:
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        raise StoreError(
            f"{address} cannot be listed: AWS_PROFILE is set, and boto3 reads profiles: uv sync --extra aws-profiles"
        ) from error
    try:
        return Boto3CredentialProvider()
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"{address} cannot be listed: AWS_PROFILE: {plain(error)}") from None
