"""Export as a Cypher script: the statements of a sync, batch by batch, with their values written out."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from kg_pipeline.graph import statements
from kg_pipeline.graph.batching import as_lists, batches
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.export.folder import ExportFolder
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.jobs import Job, by_ends
from kg_pipeline.graph.model import MARKER, MODEL_VERSION, NODES, RELATIONSHIPS, constraints
from kg_pipeline.graph.names import Names
from kg_pipeline.progress import progress

FILE = "graph.cypher"

# The server parses and plans each statement anew: the time goes up faster than the text.
ROWS, BYTES = 200, 200_000

GENERATION = 1

_PARAMETER = re.compile(r"\$([a-z_]+)")
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Control characters and the separators that editors take for line ends.
_HARD = re.compile("[\\\\'\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_BEFORE_U = re.compile(r"(?<=\\)(?=u)")


def write_script(folder: ExportFolder, collection: str, graph: Graph, names: Names, now: datetime) -> int:
    """`graph.cypher`, for cypher-shell: no statement spans a `;` at the end of a line but its own.

    It may be run again, and on a graph that holds other collections. Relationships to foreign nodes are made where
    those exist.
    """
    parameters = {
        "collection": collection,
        "generation": GENERATION,
        "token": "export",
        "now": now,
        "marker": MARKER,
        "model": MODEL_VERSION,
        "foreign_ends": list(graph.foreign_ends),
        "input_hash": graph.fingerprint(),
        "names": [f"{ours}={theirs}" for ours, theirs in names.renamed] or None,
    }
    advance, done = progress("exporting the graph", graph.size), 0
    with folder.writing(FILE) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{constraint};\n" for constraint in constraints(names[label] for label in NODES))
        for text in (statements.CREATE_COLLECTION, statements.FENCE, statements.CLAIM):
            file.write(_statement(names.cypher(text), parameters))
        for text, rows in _batches(graph):
            file.write(_statement(names.cypher(text), {**parameters, "rows": rows}))
            done += len(rows)
            advance(done)
        file.write(_statement(names.cypher(statements.COMPLETE), parameters))
    return 0


def _batches(graph: Graph) -> Iterator[tuple[str, list[list[object]]]]:
    for label, rows in graph.nodes.items():
        for batch in batches(rows, ROWS, BYTES):
            yield statements.node_merge(NODES[label]), as_lists(batch)
    for name, rows in graph.edges.items():
        for ends, same in by_ends(name, rows):
            job = Job(name, same, ROWS, [statements.edge_merge(RELATIONSHIPS[name], ends)], ends=ends)
            for batch in batches(job.rows, ROWS, BYTES):
                [text], lists = job.statements(batch, is_first=True)
                yield text, lists


def _statement(text: str, parameters: Mapping[str, Any]) -> str:
    """The statement with literals in the place of its parameters, all in one pass: no value is looked into."""
    lines = [line for line in text.splitlines() if line]
    return _PARAMETER.sub(lambda found: literal(parameters[found[1]]), "\n".join(lines)) + ";\n"


def literal(value: Any) -> str:
    """`value` as a Cypher literal. Raises GraphError for a type that has none."""
    if type(value) not in _LITERALS:
        raise GraphError(f"a value of type {type(value).__name__} has no literal in Cypher")
    return _LITERALS[type(value)](value)


def _list(value: list[Any]) -> str:
    return f"[{', '.join(map(literal, value))}]"


def _map(value: dict[str, Any]) -> str:
    # A property that is null is one that is not there.
    return f"{{{', '.join(f'{name}: {literal(item)}' for name, item in value.items() if item is not None)}}}"


def _time(value: datetime) -> str:
    return f"datetime('{value.astimezone(UTC).isoformat(timespec='milliseconds').replace('+00:00', 'Z')}')"


def _number(value: float) -> str:
    if math.isnan(value):
        return "(0.0 / 0.0)"
    if math.isinf(value):
        return f"({'-' * (value < 0)}1.0 / 0.0)"
    return repr(value)


def _text(value: str) -> str:
    # Neo4j 5 replaces \uXXXX before it looks at quotes and backslashes, so `\\u` is taken for the start of one.
    parts = [f"'{_HARD.sub(_escaped, part)}'" for part in _BEFORE_U.split(value)]
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}"


_LITERALS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: str(value).lower(),
    int: str,
    float: _number,
    str: _text,
    datetime: _time,
    list: _list,
    dict: _map,
}
