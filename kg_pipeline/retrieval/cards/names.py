"""File names for concepts and documents: readable, safe on every system, never the same for two."""

import re
import unicodedata

from kg_pipeline.ids import stable_id

BYTES = 80
"""Of the readable part; file systems take 255, and folders come on top."""


def file_name(name: str, identity: str) -> str:
    """Letters and digits of `name` in lower case, and 10 hex digits of a hash of `identity`; no suffix.

    The hash keeps apart names that differ in case, in signs or behind the cut, and is no reserved name of any system.
    """
    plain = unicodedata.normalize("NFKC", name).lower()
    words = re.sub(r"[\W_]+", "-", plain).strip("-").encode("utf-8", "ignore")[:BYTES].decode("utf-8", "ignore")
    return f"{words.strip('-') or 'card'}-{stable_id(identity)[:10]}"
