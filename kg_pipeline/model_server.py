"""Requests to a server that speaks OpenAI's API: retries, the key, and answers that are errors put into words."""

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

# Servers quote the input in their error texts, so only a plain word of the answer is passed on.
PLAIN_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RefusedError(Exception):
    """The server does not take this input."""


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


class ModelServer:
    """One service of one server. Safe to use from several threads."""

    def __init__(
        self, service: Service, url: str, model: str, api_key: SecretStr, timeout_seconds: float, parallel: int = 1
    ) -> None:
        """Nothing is sent yet. `api_key` may be empty, for servers that ask for none."""
        self.service = service
        self.url = url.rstrip("/") + service.path
        self.model = model
        self._key = api_key
        self._pool = urllib3.PoolManager(
            maxsize=parallel,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=timeout_seconds),
            retries=urllib3.Retry(
                total=RETRIES,
                backoff_factor=BACKOFF_SECONDS,
                status_forcelist=RETRIED_STATUSES,
                allowed_methods=None,
                # A redirect would take the key to another host.
                redirect=False,
                raise_on_status=False,
            ),
        )

    def post(self, body: Mapping[str, Any]) -> bytes:
        """The answer to `body`, to which the model's name is added. Raises RefusedError and the service's error."""
        try:
            response = self._pool.request("POST", self.url, json={"model": self.model, **body}, headers=self._headers())
        except HTTPError as error:
            raise self._silent(error) from None
        if response.status != 200:
            raise self._explained(response)
        return response.data

    def models(self) -> list[str] | None:
        """Names of the models that the server lists, which costs nothing; None when it lists none.

        Asked once, without patience. Raises the service's error when nothing answers or the key is refused.
        """
        address = self.url.removesuffix(self.service.path) + "/models"
        try:
            response = self._pool.request(
                "GET", address, headers=self._headers(), retries=False, timeout=CONNECT_SECONDS
            )
        except HTTPError as error:
            raise self._silent(error) from None
        if response.status in (401, 403):
            raise self._explained(response)
        try:
            return [str(model["id"]) for model in json.loads(response.data)["data"]]
        except (ValueError, LookupError, TypeError):
            return None

    def unlike_openai(self, error: Exception) -> Exception:
        """The service's error for an answer that cannot be read because of `error`."""
        return self.service.error(
            f"{self.url} does not answer as OpenAI's {self.service.path} does ({type(error).__name__}): correct "
            f"{self.service.section}.url"
        )

    def _silent(self, error: HTTPError) -> Exception:
        service, reason = self.service, getattr(error, "reason", None) or error
        return service.error(
            f"no {service.name} server answers at {self.url} ({type(reason).__name__}): start it, correct "
            f"{service.section}.url in collections.yaml, or remove the section `{service.section}`"
        )

    def _headers(self) -> dict[str, str]:
        key = self._key.get_secret_value()
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _explained(self, response: urllib3.BaseHTTPResponse) -> Exception:
        service, what = self.service, f"{response.status}{_plain_reason(response.data)}"
        if response.status in REFUSED_STATUSES:
            return RefusedError(what)
        if response.status in (401, 403):
            return service.error(
                f"the {service.name} server at {self.url} refuses the key ({what}): set {service.key_variable}"
            )
        if response.status == 404:
            return service.error(
                f"{self.url} does not exist or does not know the model {self.model} ({what}): {service.section}.url "
                f"is the address before {service.path}, for example http://localhost:8000/v1"
            )
        return service.error(f"the {service.name} server at {self.url} answers {what}: look at its log, then run again")


def _plain_reason(data: bytes) -> str:
    try:
        error = json.loads(data)["error"]
        words = [str(error[name]) for name in ("type", "code") if error.get(name)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "".join(f", {word}" for word in words if PLAIN_WORD.fullmatch(word))
