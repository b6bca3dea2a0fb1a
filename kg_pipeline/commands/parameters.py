"""Parameters of a Cypher statement on the command line: NAME=VALUE."""

import json
from collections.abc import Sequence
from typing import Any

from kg_pipeline.commands.options import fail


def parse_parameters(given: Sequence[str]) -> dict[str, Any]:
    """`name=value` as name → value: JSON where the value is JSON (5, true, ["a"], "5"), else the text as it stands."""
    parameters = {}
    for item in given:
        name, separator, value = item.partition("=")
        if not separator or not name.isidentifier():
            raise fail(f"--param {item!r}: expected NAME=VALUE, for example --param collection=kb", 2)
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
