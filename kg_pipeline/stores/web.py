"""Web servers: conditional requests, redirects only to where somebody allowed to go, whole answers or none."""

import netrc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from kg_pipeline.store_addresses import StoreAddress, parse_address
from kg_pipeline.stores.errors import AwayError, ObjectError, RefusedError
from kg_pipeline.stores.objects import Patience, Received, StoreObject, Traffic, is_etag

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
RETRIED = (429, 500, 502, 503, 504)
PIECE = 1 << 16
BACKOFF_SECONDS = 0.5
LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Web:
    """Asks web servers; `allows` says where a redirect may lead."""

    def __init__(self, allows: Callable[[StoreAddress], bool], patience: Patience, parallel: int) -> None:
        """Nothing is asked yet."""
        self._allows = allows
        self._patience = patience
        self._lock = threading.Lock()
        self.traffic = Traffic()
        self._pool = urllib3.PoolManager(
            maxsize=parallel,
            block=True,
            timeout=urllib3.Timeout(connect=patience.connect_seconds, read=patience.read_seconds),
            retries=urllib3.Retry(
                total=patience.retries,
                redirect=False,
                status_forcelist=RETRIED,
                backoff_factor=BACKOFF_SECONDS,
                raise_on_status=False,
                # A server may ask to wait for hours.
                respect_retry_after_header=False,
            ),
        )

    def fetch(self, item: StoreObject, mark: str | None, into: BinaryIO, limit: int) -> Received | None:
        """See Store."""
        until, size = time.monotonic() + self._patience.total_seconds, 0
        try:
            with self._answer(parse_address(item.ask), mark) as answer:
                if answer.status == 304 and mark is not None:
                    return None
                if answer.status != 200:
                    raise _object_error(answer.status)
                announced = answer.headers.get("Content-Length", "")
                if announced.isdecimal() and int(announced) > limit:
                    raise RefusedError(f"{int(announced):,} bytes, more than the limit of {limit:,}")
                for piece in answer.stream(PIECE, decode_content=True):
                    size += into.write(piece)
                    if size > limit:
                        raise RefusedError(f"more than the limit of {limit:,} bytes")
                    if time.monotonic() > until:
                        raise ObjectError(f"not complete after {self._patience.total_seconds:.0f} s")
                return Received(_time(answer), answer.headers.get("ETag") or answer.headers.get("Last-Modified"))
        except urllib3.exceptions.ProtocolError:  # before the body it would be a MaxRetryError
            raise ObjectError("came incomplete: the connection ended before the content did") from None
        except HTTPError as error:
            raise _unanswered(error) from None
        finally:
            with self._lock:
                self.traffic.bytes += size

    @contextmanager
    def _answer(self, address: StoreAddress, mark: str | None) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer at the end of the redirects."""
        for _ in range(MOST_REDIRECTS + 1):
            with self._lock:
                self.traffic.reads += 1
            headers = {**_conditions(mark), **_authorization(address)}
            answer = self._pool.request("GET", address.whole, headers=headers, preload_content=False, redirect=False)
            try:
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                address = self._redirected(address, answer.headers.get("Location", ""))
            finally:
                # What is left unread must not be taken for the next answer.
                answer.close()
                answer.release_conn()
        raise RefusedError(f"more than {MOST_REDIRECTS} redirects")

    def _redirected(self, address: StoreAddress, location: str) -> StoreAddress:
        try:
            target = parse_address(urljoin(address.whole, location))
        except ValueError:
            raise ObjectError("redirects to something that is not an address") from None
        if not target.is_web or not self._allows(target):
            raise RefusedError(f"redirects to another place, {target.server}; name it in `hosts` if it may be asked")
        return target


def _conditions(mark: str | None) -> dict[str, str]:
    """See RFC 9110, 13.1."""
    plain = {"User-Agent": "kg-pipeline", "Accept-Encoding": "identity"}
    if mark is None:
        return plain
    return plain | ({"If-None-Match": mark} if is_etag(mark) else {"If-Modified-Since": mark})


def _authorization(address: StoreAddress) -> dict[str, str]:
    """User and password that ~/.netrc (or the file that NETRC names) has for the host; never sent in the open."""
    host = address.host.partition(":")[0]
    if address.scheme != "https" and host not in LOCAL:
        return {}
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        known = netrc.netrc(str(file)).hosts.get(host) if file.is_file() else None
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        raise ObjectError(f"{file} cannot be read ({type(error).__name__}): correct it") from None
    return urllib3.make_headers(basic_auth=f"{known[0]}:{known[2]}") if known else {}


def _object_error(status: int) -> ObjectError:
    if status in (401, 403):
        return ObjectError(f"denied ({status}); user and password of a host stand in ~/.netrc")
    if status in (404, 410):
        return ObjectError(f"is not there ({status})")
    return ObjectError(f"cannot be fetched: the server answers {status}")


def _unanswered(error: HTTPError) -> AwayError:
    reason = getattr(error, "reason", None) or error
    return AwayError(f"the server does not answer ({type(reason).__name__})")


def _time(answer: urllib3.BaseHTTPResponse) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers["Last-Modified"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None
