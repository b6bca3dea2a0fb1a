"""Reading the nodes that somebody else keeps in the graph, for documents and concepts. Nothing is ever written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo4j
import polars as pl

from kg_pipeline.config import Settings
from kg_pipeline.graph.connection import Connection, connect, explained
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.jobs import foreign_keys
from kg_pipeline.graph.model import MARKER
from kg_pipeline.graph.statements import foreign_matches, not_ours
from kg_pipeline.graph_nodes import GraphNodes, NodesRead, ReadNodes, schema_of, unread

READING = "r"
"""`query_type` of a statement that only reads."""
KEYS = 10_000
"""Keys looked up in one statement."""

Record = Mapping[str, Any]


@contextmanager
def reading_nodes(settings: Settings, home: Path, *, enabled: bool) -> Iterator[ReadNodes]:
    """A reader of foreign nodes, which connects when it is first asked.

    `enabled`: whether the run uses the graph. When not, only a server that NEO4J_URI names is read; the embedded one is
    left alone. What cannot be read is a NodesRead with `error`.
    """
    with ExitStack() as stack:
        opened: dict[str, Connection | str] = {}

        def connection() -> Connection | str:
            if "graph" not in opened:
                try:
                    opened["graph"] = stack.enter_context(connect(settings, home))
                except GraphError as error:
                    opened["graph"] = str(error)
            return opened["graph"]

        def read(collection: str, nodes: GraphNodes) -> NodesRead:
            if not enabled and not settings.neo4j_uri:
                return unread(
                    nodes,
                    f"{nodes.what} cannot be read: this run leaves the embedded graph alone (--no-graph). "
                    "Run with the graph, or set NEO4J_URI to the server that holds these nodes",
                )
            found = connection()
            if isinstance(found, str):
                return unread(nodes, f"{nodes.what} cannot be read: {found}")
            try:
                return read_nodes(found, collection, nodes)
            except GraphError as error:
                return unread(nodes, f"{nodes.what} cannot be read: {error}")

        yield read


def read_nodes(connection: Connection, collection: str, nodes: GraphNodes) -> NodesRead:
    """The nodes of a source, by key. Raises GraphError: no connection, a query that fails, writes or lacks `key`."""
    connection.names.check_foreign(nodes.label)
    records = _asked(connection, collection, nodes) if nodes.query else connection.read(_all(nodes), marker=MARKER)
    keyed = [(key, record) for record in records if (key := _key(record["key"])) is not None]
    often = Counter(key for key, _ in keyed)
    first = dict(reversed(keyed))
    # Not every node of a query is one, and not every key leads to one node.
    there = _count_nodes(connection, nodes, sorted(first)) if nodes.query else often
    rows = []
    for key in sorted(first):
        problem = _problem(nodes, key, there.get(key, 0), often[key])
        # Of several nodes none is meant more than another, and which comes first is up to the server.
        values = {} if problem else _values(nodes, first[key])
        rows.append({"key": key, **values, "problem": problem})
    return NodesRead(pl.DataFrame(rows, schema=schema_of(nodes)), len(records) - len(keyed))


def _all(nodes: GraphNodes) -> str:
    """The statement that reads every node of the label that is not ours. All names passed their validation."""
    properties = {name: value for name in nodes.columns if (value := getattr(nodes, name))}
    columns = "".join(f", n.{value} AS {name}" for name, value in properties.items())
    return f"MATCH (n:`{nodes.label}`) WHERE true{not_ours('n', nodes.label)} RETURN n.{nodes.key} AS key{columns}"


@dataclass(frozen=True)
class _Answer:
    columns: Sequence[str]
    records: list[dict[str, Any]]


def _asked(connection: Connection, collection: str, nodes: GraphNodes) -> list[dict[str, Any]]:
    """The rows of the source's own query."""
    assert nodes.query is not None
    answer = _read_only(connection, nodes.query)
    # ArcadeDB names no columns when there are no rows.
    if "key" not in answer.columns and (answer.columns or answer.records):
        allowed = ", ".join(("key", *nodes.columns))
        raise GraphError(
            f"its query in collection {collection} brings no column `key` but {', '.join(answer.columns)}: "
            f"name the columns with AS; they may be {allowed}"
        )
    unknown = sorted(set(answer.columns) - {"key", *nodes.columns})
    if unknown:
        raise GraphError(
            f"its query in collection {collection} brings the unknown column {', '.join(unknown)}; "
            f"columns are {', '.join(('key', *nodes.columns))}"
        )
    return answer.records


def _read_only(connection: Connection, query: str) -> _Answer:
    """What a query of somebody else answers. Raises GraphError when it is one that writes; nothing is written then.

    Three locks, since no server has them all: Neo4j says the type of an explained statement and refuses to write in
    a reading transaction; ArcadeDB does neither, but says the type afterwards, and its transaction is rolled back.
    """

    def work(transaction: neo4j.ManagedTransaction) -> _Answer:
        explained_plan = transaction.run(f"EXPLAIN {query}")
        if explained_plan.keys():
            _refuse_writing(explained_plan.consume().query_type)
        result = transaction.run(query)
        columns, records = list(result.keys()), result.data()
        _refuse_writing(result.consume().query_type)
        return _Answer(columns, records)

    with (
        explained(connection.address, connection.names),
        connection.driver.session(
            database=connection.database, bookmark_manager=connection.driver.execute_query_bookmark_manager
        ) as session,
    ):
        return session.execute_read(work)


def _refuse_writing(query_type: str | None) -> None:
    if query_type != READING:
        raise GraphError(f"its query may only read, but the server says it is of type {query_type!r}; nothing was done")


def _count_nodes(connection: Connection, nodes: GraphNodes, keys: list[str]) -> dict[str, int]:
    """How many nodes that are not ours have each key."""
    text = foreign_matches(nodes.label, nodes.key)
    counts: dict[str, int] = {}
    for start in range(0, len(keys), KEYS):
        rows = [{"id": key, "keys": foreign_keys(key)} for key in keys[start : start + KEYS]]
        counts |= {row["id"]: row["n"] for row in connection.read(text, rows=rows, marker=MARKER)}
    return counts


def _problem(nodes: GraphNodes, key: str, there: int, rows: int) -> str | None:
    node = f"(:{nodes.label} {{{nodes.key}: {key[:100]!r}}})"
    if there == 0:
        return f"there is no node {node}, or it is one of ours"
    if there > 1:
        return f"there are {there} nodes {node}: a key has to lead to one node"
    if rows > 1:
        return f"the query brings {rows} rows for {node}: one row per node, for example with collect()"
    return None


def _key(value: Any) -> str | None:
    """Text and whole numbers are keys; True, 1.5 and points in space are not."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _values(nodes: GraphNodes, record: Record) -> dict[str, Any]:
    return {name: _LIKE.get(name, _text)(record.get(name)) for name in nodes.columns}


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return "\n".join(str(item) for item in value if item is not None) or None
    return None if value is None else str(value)


def _texts(value: Any) -> list[str]:
    parts = value.split("|") if isinstance(value, str) else value if isinstance(value, list) else [value]
    return [text for part in parts if part is not None and (text := str(part).strip())]


_LIKE = {"aliases": _texts}
