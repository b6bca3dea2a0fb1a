"""What can go wrong with a store or an object in it, and how it is said without telling a secret."""

import os
import re

SECRET_VARIABLE = re.compile(r".*(SECRET|TOKEN|PASSWORD|SAS|_KEY)(_.*)?", re.IGNORECASE)
SHORTEST_SECRET = 6
MOST_CHARACTERS = 300


class StoreError(Exception):
    """A store cannot be listed, or a manifest not be read: nothing is known of what it holds."""


class ObjectError(Exception):
    """One object cannot be read now: it is gone, denied, or came incomplete."""


class RefusedError(ObjectError):
    """A guard forbids to read it: it is too large, or lies where nobody allowed to go."""


class AwayError(ObjectError):
    """The server does not answer; it will hardly answer for the next object."""


def plain(text: object) -> str:
    """What a library says, in one short line: without answers' bodies, queries of addresses and values of secrets."""
    line = str(text).partition("\n\nDebug source")[0].partition("<?xml")[0]
    line = re.sub(r"(\w+://[^\s?]+)\?\S*", r"\1", line)
    line = re.sub(r"(\w+://)[^\s/@]+@", r"\1", line)
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and SECRET_VARIABLE.fullmatch(name):
            line = line.replace(value, "***")
    return " ".join(line.split()).rstrip(": ")[:MOST_CHARACTERS]
