"""Addresses of pictures that are not on this machine: what they may look like, and what of them may be shown."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import AfterValidator

BUCKETS = ("s3", "gs", "az")
WEB = ("https", "http")
EXAMPLES = "s3://bucket/folder, gs://bucket/folder, az://container/folder or https://host/folder/"
MANIFEST_SUFFIXES = (".csv", ".json", ".parquet")

BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What signed addresses carry: Amazon (both versions), Google, Azure, CloudFront; and the names that secrets go by.
SECRET_PARAMETER = re.compile(
    r"x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id|sig|se|sp|sr|sv|st|spr|sip"
    r"|.*(token|secret|passw|api_?key|auth|credential).*|key|pwd",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class StoreAddress:
    """Scheme, bucket or host, and the rest: a key as it is in the bucket, or path and query as in an address."""

    scheme: str
    host: str
    """Bucket, container, or host with its port in lower case."""
    path: str
    """Without the first slash."""
    query: str = ""

    @property
    def is_web(self) -> bool:
        """Whether a web server is asked, not an object store."""
        return self.scheme in WEB

    @property
    def server(self) -> str:
        """Scheme and host: who is asked."""
        return f"{self.scheme}://{self.host}"

    @property
    def name(self) -> str:
        """Last part of the path as a person reads it, or the host."""
        last = PurePosixPath(self.path).name
        return (unquote(last) if self.is_web else last) or self.host

    @property
    def is_manifest(self) -> bool:
        """Whether it ends as a manifest does."""
        return PurePosixPath(self.path).suffix.lower() in MANIFEST_SUFFIXES

    def __str__(self) -> str:
        """The address without what a signed one carries: the same from export to export, and no secret."""
        kept = [
            (name, value)
            for name, value in parse_qsl(self.query, keep_blank_values=True)
            if not SECRET_PARAMETER.fullmatch(name)
        ]
        return f"{self.server}/{self.path}" + (f"?{urlencode(kept)}" if kept else "")

    @property
    def whole(self) -> str:
        """The address with everything it carries: to be asked for, never to be shown."""
        return f"{self.server}/{self.path}" + (f"?{self.query}" if self.query else "")


def parse_address(text: str) -> StoreAddress:
    """The parts of an address. Raises ValueError, whose message repeats no secret."""
    scheme, divider, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not divider or scheme not in (*BUCKETS, *WEB):
        raise ValueError(f"expected an address such as {EXAMPLES}")
    if CONTROL.search(rest):
        raise ValueError("an address with line breaks or other control characters in it")
    if scheme in WEB:
        return _web_address(scheme, f"{scheme}://{rest}")
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise ValueError(_NO_PASSWORD)
    if not BUCKET.fullmatch(bucket):
        raise ValueError(f"expected the name of a bucket or container after {scheme}://")
    return StoreAddress(scheme, bucket, key)


_NO_PASSWORD = "no user or password in an address: credentials stand in the environment, in a profile or in ~/.netrc"


def _web_address(scheme: str, text: str) -> StoreAddress:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("not a valid address of a web server") from error
    if "@" in parts.netloc:
        raise ValueError(_NO_PASSWORD)
    if not parts.hostname:
        raise ValueError(f"expected the name of a host after {scheme}://")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    standard = {"https": 443, "http": 80}[scheme]
    # A person writes ü and blanks as they are; a server wants them percent-encoded, and one spelling of each.
    path = quote(parts.path.lstrip("/"), safe="/%:@!$&'()*+,;=~-._")
    return StoreAddress(scheme, host if port in (None, standard) else f"{host}:{port}", path, parts.query)


def _configured(text: str) -> str:
    address = parse_address(text)
    if str(address) != address.whole:
        raise ValueError("the address is a signed one, or holds a key: such secrets have no place in this file")
    return str(address)


def _server(text: str) -> str:
    address = parse_address(text)
    if not address.is_web or address.query:
        raise ValueError("expected the address of a server, for example https://minio.example:9000")
    return str(address).rstrip("/")


ConfiguredAddress = Annotated[str, AfterValidator(_configured)]
"""An address in collections.yaml: without user, password, signature or token."""
Endpoint = Annotated[str, AfterValidator(_server)]
"""The address of a server that speaks the protocol of an object store."""
