"""Requests to a server of models: retries, the key, and answers that are errors put into words."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

RETRIES = 4
BACKOFF_SECONDS = 0.5
"""0.5, 1, 2, 4 seconds, or what the server's Retry-After asks for."""
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)
CONNECT_SECONDS = 10.0

REFUSED_STATUSES = (400, 413, 422)
"""The input does not suit the model."""

# Servers quote the input in their error texts, so only a plain word of the answer is passed on; of `kg-pipeline serve`,
# which never does that and is the one that answers in this type (RFC 9457), the sentence.
PLAIN_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
PROBLEM_TYPE = "application/problem+json"
PROBLEM_CHARACTERS = 300


class RefusedError(Exception):
    """The server does not take this input."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Service:
    """What a server is asked for, and how messages name it and its settings."""

    name: str
    """As in `the embedding server`."""
    path: str
    """Behind the configured address, with the slash."""
    section: str
    """Of collections.yaml; has the keys url and model."""
    key_variable: str
    """Environment variable of the key."""
    error: type[Exception]
    """Raised for all that is wrong with server or settings."""
    busy: type[Exception] | None = None
    """Raised, where given, when the server still has no room after all retries."""
    late: type[Exception] | None = None
    """Raised, where given, when the server gives up on a request, which is then not retried as it is."""
    speaks: str = "OpenAI's"
    """Whose protocol it is."""
    without: str = ""
    """How to go on when there is no such server; to remove the section, if not said."""
    example: str = "http://localhost:8000/v1"
    """An address as it is configured."""


class ModelServer:
    """One service of one server. Safe to use from several threads."""

    def __init__(
        self,
        service: Service,
        url: str,
        model: str | None,
        api_key: SecretStr,
        timeout_seconds: float,
        parallel: int = 1,
    ) -> None:
        """Nothing is sent yet. `api_key` may be empty, for servers that ask for none; `model`, where it has but one."""
        self.service = service
        self.base = url.rstrip("/")
        self.url = self.base + service.path
        self.model = model
        self._key = api_key
        self._pool = urllib3.PoolManager(
            maxsize=parallel,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=timeout_seconds),
            retries=urllib3.Retry(
                total=RETRIES,
                backoff_factor=BACKOFF_SECONDS,
                status_forcelist=[status for status in RETRIED_STATUSES if not (service.late and status == 504)],
                allowed_methods=None,
                # A redirect would take the key to another host.
                redirect=False,
                raise_on_status=False,
            ),
        )

    def post(self, body: Mapping[str, Any]) -> bytes:
        """The answer to `body`, to which the model's name is added. Raises RefusedError and the service's errors."""
        whole = {"model": self.model, **body} if self.model else body
        try:
            response = self._pool.request("POST", self.url, json=whole, headers=self._headers())
        except HTTPError as error:
            raise self._silent(error) from None
        if response.status != 200:
            raise self._explained(response)
        return response.data

    def models(self) -> list[str] | None:
        """Names of the models that the server lists, which costs nothing; None when it lists none.

        Asked once, without patience. Raises the service's error when nothing answers or the key is refused.
        """
        try:
            return [str(model["id"]) for model in self.get("/models")["data"]]
        except (LookupError, TypeError):
            return None

    def get(self, path: str) -> Any:
        """The JSON at `path` behind the configured address, None where there is none; asked once, without patience.

        Raises the service's error when nothing answers or the key is refused.
        """
        try:
            response = self._pool.request(
                "GET", self.base + path, headers=self._headers(), retries=False, timeout=CONNECT_SECONDS
            )
        except HTTPError as error:
            raise self._silent(error) from None
        if response.status in (401, 403):
            raise self._explained(response)
        try:
            return json.loads(response.data)
        except ValueError:
            return None

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()

    def unlike_protocol(self, error: Exception) -> Exception:
        """The service's error for an answer that cannot be read because of `error`."""
        return self.service.error(
            f"{self.url} does not answer as {self.service.speaks} {self.service.path} does ({type(error).__name__}): "
            f"correct {self.service.section}.url"
        )

    def _silent(self, error: HTTPError) -> Exception:
        service, reason = self.service, getattr(error, "reason", None) or error
        otherwise = service.without or f"remove the section `{service.section}`"
        return service.error(
            f"no {service.name} server answers at {self.url} ({type(reason).__name__}): start it, correct "
            f"{service.section}.url in collections.yaml, or {otherwise}"
        )

    def _headers(self) -> dict[str, str]:
        key = self._key.get_secret_value()
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _explained(self, response: urllib3.BaseHTTPResponse) -> Exception:
        service, what = self.service, f"{response.status}{_plain_reason(response)}"
        if response.status in REFUSED_STATUSES:
            return RefusedError(what, response.status)
        if response.status == 429 and service.busy:
            return service.busy(f"the {service.name} server at {self.url} has no room ({what})")
        if response.status == 504 and service.late:
            return service.late(f"the {service.name} server at {self.url} gives up ({what})")
        if response.status in (401, 403):
            return service.error(
                f"the {service.name} server at {self.url} refuses the key ({what}): set {service.key_variable}"
            )
        if response.status == 404:
            unknown = f" or does not know the model {self.model}" if self.model else ""
            return service.error(
                f"{self.url} does not exist{unknown} ({what}): "
                f"{service.section}.url is the address before {service.path}, for example {service.example}"
            )
        return service.error(f"the {service.name} server at {self.url} answers {what}: look at its log, then run again")


def _plain_reason(response: urllib3.BaseHTTPResponse) -> str:
    try:
        found = json.loads(response.data)
        if response.headers.get("Content-Type", "").startswith(PROBLEM_TYPE):
            return f", {str(found['detail'])[:PROBLEM_CHARACTERS]}"
        words = [str(found["error"][name]) for name in ("type", "code") if found["error"].get(name)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "".join(f", {word}" for word in words if PLAIN_WORD.fullmatch(word))
