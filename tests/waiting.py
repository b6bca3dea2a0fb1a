"""Waiting for what other processes and threads do, as long as a busy machine may need: nothing here is about speed."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest


def wait_for(done: Callable[[], Any], seconds: float, what: str) -> None:
    """Return when `done` holds; the test fails when it does not within the seconds."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            pytest.fail(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Whether a server answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
