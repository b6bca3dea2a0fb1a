"""What the graph really holds: a collection read back over Bolt, as the frames it was written from."""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import polars as pl
import pyarrow as pa
from neo4j.time import DateTime

from kg_pipeline.graph import statements
from kg_pipeline.graph.apply import count
from kg_pipeline.graph.connection import Connection
from kg_pipeline.graph.frames import END_KIND, Ends, Graph, end_kinds
from kg_pipeline.graph.jobs import foreign_keys
from kg_pipeline.graph.model import (
    ENDS,
    FLOAT,
    FOREIGN_PLACES,
    INT,
    MARKER,
    NODES,
    RELATIONSHIPS,
    SYNCED_NODES,
    TEXT,
    TEXTS,
    TIME,
    VECTOR,
    RelationshipType,
    is_foreign,
)


def count_graph(connection: Connection, collection: str) -> dict[str, int]:
    """Nodes per label and relationships per type that the collection has in the graph, read from it."""
    return count(connection, collection, [*NODES, *RELATIONSHIPS])


def read_graph(connection: Connection, collection: str, foreign_ends: Sequence[str]) -> Graph:
    """The collection as it is in the graph. `foreign_ends`: `Label.key` of foreign nodes our relationships may end at.

    Relationships of ours with other ends (a foreign label that is not configured any more) are not part of it:
    find_strays has them.
    """
    present = _present(connection)
    nodes = {
        label: _frame(connection, statements.node_read(node), node.schema, collection)
        for label, node in SYNCED_NODES.items()
        if label in present
    }
    edges = {
        name: _edges(connection, edge, foreign_ends, collection)
        for name, edge in RELATIONSHIPS.items()
        if name in present
    }
    return Graph.of(nodes, edges)


def find_strays(connection: Connection, collection: str, known: Graph, foreign_ends: Sequence[str]) -> list[str]:
    """Element ids of relationships of the collection whose ends the model does not know, or that are doubled."""
    strays: list[str] = []
    for name in sorted(_present(connection) & set(RELATIONSHIPS)):
        edge = RELATIONSHIPS[name]
        found = connection.read(statements.stray_edges(edge), collection=collection)
        if len(found) == known.edges[name].height:
            continue
        seen: dict[tuple[Any, ...], str] = {}
        for ends in allowed_ends(edge, foreign_ends):
            for row in connection.read(statements.edge_read(edge, ends), collection=collection, marker=MARKER):
                seen.setdefault((*ends, row["start"], row["end"], *(row[key] for key in edge.key)), row["element"])
        strays += sorted({row["element"] for row in found} - set(seen.values()))
    return strays


def allowed_ends(edge: RelationshipType, foreign_ends: Sequence[str]) -> Iterator[Ends]:
    """Every kind of ends a relationship of that type may have; a foreign node stands where FOREIGN_PLACES says."""
    foreign = [(label, key) for label, _, key in (end.partition(".") for end in foreign_ends)]

    def places(labels: Sequence[str]) -> list[tuple[str, str]]:
        own = [(label, "id") for label in labels]
        return own + (foreign if set(FOREIGN_PLACES) & set(labels) else [])

    for start in places(edge.start):
        for end in places(edge.end):
            yield (*start, *end)


def present_foreign(connection: Connection, wanted: Graph) -> tuple[Graph, int]:
    """`wanted` without relationships to foreign nodes that are not there, or not the only one with their key."""
    missing: dict[tuple[str, str], list[str]] = {}
    for (label, key), values in wanted.foreign_nodes.items():
        connection.names.check_foreign(label)
        rows = [{"id": value, "keys": foreign_keys(value)} for value in values]
        found = connection.read(statements.foreign_matches(label, key), rows=rows, marker=MARKER)
        single = {row["id"] for row in found if row["n"] == 1}
        missing[label, key] = [value for value in values if value not in single]
    if not any(missing.values()):
        return wanted, 0
    edges = {name: _without(frame, missing) for name, frame in wanted.edges.items()}
    left_out = sum(frame.height for frame in wanted.edges.values()) - sum(frame.height for frame in edges.values())
    return Graph.of(wanted.nodes, edges, wanted.dangling), left_out


def holds_foreign_edges(connection: Connection, collection: str, last: Graph) -> bool:
    """Whether the relationships that `last` has to foreign nodes are still there, and no others of these kinds.

    Whoever keeps those nodes may have deleted them, or given the key of one to another, without our noticing.
    """
    for name, edge in RELATIONSHIPS.items():
        for ends in end_kinds(last.edges[name]):
            if not (is_foreign(*ends[:2]) or is_foreign(*ends[2:])):
                continue
            kind = dict(zip(END_KIND, ends, strict=True))
            known = last.edges[name].filter(**kind).select("start", "end").sort("start", "end")
            found = connection.read(statements.edge_ends(edge, ends), collection=collection, marker=MARKER)
            if known.rows() != sorted((str(row["start"]), str(row["end"])) for row in found):
                return False
    return True


def _present(connection: Connection) -> set[str]:
    """The labels and types that anything in the database has: a first sync to an empty one needs not look for others.

    For each of them a statement would be planned, which takes an idle server tens of milliseconds.
    """
    [totals] = connection.read(statements.totals())
    return {name for name, total in zip([*NODES, *RELATIONSHIPS], totals.values(), strict=True) if total}


def _without(frame: pl.DataFrame, missing: dict[tuple[str, str], list[str]]) -> pl.DataFrame:
    for side in ("start", "end"):
        for (label, key), values in missing.items():
            gone = {f"{side}_label": label, f"{side}_key": key}
            at = pl.all_horizontal(pl.col(column) == value for column, value in gone.items())
            frame = frame.filter(~(at & pl.col(side).is_in(values)))
    return frame


def _edges(
    connection: Connection, edge: RelationshipType, foreign_ends: Sequence[str], collection: str
) -> pl.DataFrame:
    frames = []
    for ends in allowed_ends(edge, foreign_ends):
        names = dict(zip(END_KIND, ends, strict=True))
        schema = pl.Schema({name: dtype for name, dtype in edge.schema.items() if name not in names})
        frame = _frame(connection, statements.edge_read(edge, ends), schema, collection)
        frames.append(frame.with_columns(pl.lit(value).alias(name) for name, value in names.items()))
    rows = pl.concat(frames).select(*ENDS, *edge.properties)
    return rows.unique(edge.key_columns, keep="first", maintain_order=True)


def _frame(connection: Connection, text: str, schema: pl.Schema, collection: str) -> pl.DataFrame:
    rows = connection.rows(text, collection=collection, marker=MARKER)
    columns = zip(*rows, strict=True) if rows else repeat(())
    # Somebody may have put a value of another type there: such a cell reads as null, differs and is written again.
    return pl.DataFrame(
        [
            _column(name, dtype, [_READ[dtype](value) for value in values])
            # A statement may return more than the columns of the frame, after them.
            for (name, dtype), values in zip(schema.items(), columns, strict=False)
        ]
    )


def _column(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    if dtype == TEXTS:
        # polars makes a column of each list first: ten times as long.
        return pl.Series(name, pa.array(values, pa.list_(pa.string())), dtype)
    return pl.Series(name, values, dtype, strict=False)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _texts(value: Any) -> list[str] | None:
    return [str(item) for item in value] if isinstance(value, list) else None


def _numbers(value: Any) -> list[float] | None:
    return value if isinstance(value, list) and all(isinstance(item, int | float) for item in value) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _time(value: Any) -> Any:
    return value.to_native() if isinstance(value, DateTime) else None


_READ: dict[pl.DataType, Callable[[Any], Any]] = {
    TEXT: _text,
    INT: _number,
    FLOAT: _number,
    TEXTS: _texts,
    VECTOR: _numbers,
    TIME: _time,
}
