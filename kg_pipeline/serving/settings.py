"""What a server is started with: address, folders, token, scorer, and the limits of a request."""

import ipaddress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import SecretStr

from kg_pipeline.config import Limits, Scoring
from kg_pipeline.serving.errors import SettingsError

DEFAULT_PORT = 8765
TOKEN_VARIABLE = "KG_PIPELINE_API_TOKEN"
SHORTEST_TOKEN = 16
"""Characters: less can be guessed over the network in days."""


@dataclass(frozen=True)
class RequestLimits:
    """Guards of one server against requests that would eat it."""

    pictures: int = 256
    """Pictures of one request."""
    pairs: int = 8_192
    """Pairs of picture and text of one request."""
    text_characters: int = 20_000
    """Of one query; a longer one is refused."""
    score_characters: int = 200_000
    """Of one text of /api/score; what is longer is cut, far beyond the 10,240 tokens that models read, as a scorer in
    the same process cuts it. It only bounds the time that a text takes to be split into tokens."""
    body_bytes: int = 64_000_000
    """Of one request, uploads included."""
    image_bytes: int = 32_000_000
    """Of one picture."""
    image_pixels: int = 50_000_000
    """Of one picture, by its header, before a pixel is decoded."""
    explanations: int = 16
    """Pictures of a request that the model may write about: each takes a second, and blocks the device."""
    waiting_pairs: int = 16_384
    """Pairs that may wait for the device; beyond it requests are refused with 429."""
    waiting_bytes: int = 1_000_000_000
    """Bytes of the pictures that wait."""
    seconds: float = 60.0
    """Deadline of a request, from its arrival to its answer."""
    drain_seconds: float = 30.0
    """How long a server that is told to stop works on what it has begun."""

    @property
    def of_images(self) -> Limits:
        """As the decoding of images takes them."""
        return Limits(image_bytes=self.image_bytes, image_pixels=self.image_pixels)


@dataclass(frozen=True)
class ServeSettings:
    """A server. Raises SettingsError for what would be unsafe or is not there."""

    home: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    image_roots: tuple[Path, ...] = ()
    """Folders whose pictures may be named by path; the working directory when there is none."""
    token: SecretStr | None = None
    """What clients must send; None: nothing, which only a loopback address allows."""
    scoring: Scoring = field(default_factory=Scoring)
    limits: RequestLimits = field(default_factory=RequestLimits)

    def __post_init__(self) -> None:
        token = self.token.get_secret_value() if self.token else None
        if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
            raise SettingsError(
                f"the token needs {SHORTEST_TOKEN} or more printable ASCII characters: make one with "
                "`openssl rand -hex 32`"
            )
        if token is None and not self.is_local:
            raise SettingsError(
                f"--host {self.host} can be reached from other machines, so a token is needed: set {TOKEN_VARIABLE}, "
                "or write it to a file and give --token-file FILE. Without one, use --host 127.0.0.1"
            )
        for root in self.image_roots:
            if not root.is_dir():
                raise SettingsError(f"--image-root {root}: no such folder")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The folders that pictures may be named in, absolute, links resolved."""
        return tuple(root.resolve() for root in self.image_roots or (Path.cwd(),))
