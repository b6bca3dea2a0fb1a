"""Posting a digest to an address: generic JSON or Slack's format, with retries, the address kept secret."""

from typing import Literal
from urllib.parse import urlsplit

import urllib3
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from kg_pipeline.notifications.digest import Digest

Format = Literal["json", "slack"]

RETRIES = 3
BACKOFF_SECONDS = 0.5
"""0.5, 1 and 2 seconds. A server that asks for a longer pause (Retry-After) has it until the next tick."""
TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)


class NotificationError(Exception):
    """A digest could not be posted; the message names the host and what to do, not the address, which is a secret."""


class Webhook:
    """One address that takes digests."""

    def __init__(self, url: SecretStr, form: Format | None = None) -> None:
        """`form`: by the address when None. Raises NotificationError for what is no http address."""
        parts = urlsplit(url.get_secret_value())
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NotificationError("KG_PIPELINE_WEBHOOK_URL must be an address that begins with https:// or http://")
        self.host = parts.hostname
        self.form: Format = form or ("slack" if self.host == "hooks.slack.com" else "json")
        self._url = url

    def post(self, digest: Digest) -> None:
        """Send the digest. Raises NotificationError when it was not taken."""
        retries = urllib3.Retry(
            total=RETRIES,
            backoff_factor=BACKOFF_SECONDS,
            respect_retry_after_header=False,
            status_forcelist=RETRIED_STATUSES,
            allowed_methods=None,
            redirect=False,  # it would take the digest to another host
            raise_on_status=False,
        )
        body = digest.as_slack() if self.form == "slack" else digest.as_json()
        try:
            with urllib3.PoolManager(timeout=TIMEOUT, retries=retries) as pool:
                status = pool.request("POST", self._url.get_secret_value(), json=body).status
        except HTTPError as error:
            # Their texts quote the path of the address, which is what makes it a secret.
            reason = type(getattr(error, "reason", None) or error).__name__
            raise NotificationError(
                f"the webhook at {self.host} does not answer ({reason}): the digest is sent again with the next tick"
            ) from None
        if not 200 <= status < 300:
            raise NotificationError(
                f"the webhook at {self.host} answers {status} to the format {self.form}: correct "
                "KG_PIPELINE_WEBHOOK_URL or KG_PIPELINE_WEBHOOK_FORMAT (json, slack)"
            )
