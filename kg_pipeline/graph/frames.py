"""A graph as frames: one of nodes per label, one of relationships per type, each conforming to the model."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, TypeAlias

import polars as pl

from kg_pipeline.graph.model import ENDS, RELATIONSHIPS, SYNCED_NODES, is_foreign

NODE_KEY = ["id"]
END_KIND = [column for column in ENDS if column not in {"start", "end"}]
"""Columns of a relationship frame that make up `Ends`."""

Ends: TypeAlias = tuple[str, str, str, str]
"""The kind of both ends of a relationship: start label, start key property, end label, end key property."""


@dataclass(frozen=True)
class Graph:
    """Nodes and relationships of one collection, sorted by key, every label and type of the model present.

    first_seen, generation and the times of runs are no part of it, so equal graphs are graphs of equal content.
    """

    nodes: Mapping[str, pl.DataFrame]
    edges: Mapping[str, pl.DataFrame]
    dangling: Mapping[str, int] = field(default_factory=dict)
    """Relationships that were left out, per type, because an end does not exist."""

    @classmethod
    def of(
        cls,
        nodes: Mapping[str, pl.DataFrame],
        edges: Mapping[str, pl.DataFrame],
        dangling: Mapping[str, int] | None = None,
    ) -> "Graph":
        """The graph with missing frames empty, columns and types of the model, and rows sorted by key."""
        return cls(
            {label: _conform(nodes.get(label), node.schema, NODE_KEY) for label, node in SYNCED_NODES.items()},
            {name: _conform(edges.get(name), kind.schema, kind.key_columns) for name, kind in RELATIONSHIPS.items()},
            dangling or {},
        )

    @classmethod
    def of_sorted(cls, parts: Mapping[str, pl.DataFrame]) -> "Graph":
        """The graph whose `parts` these frames are. Raises KeyError or SchemaError when they are those of another."""
        for name, rows in cls.empty().parts():
            if parts[name].schema != rows.schema:
                raise pl.exceptions.SchemaError(f"{name}: {parts[name].schema}")
        return cls({label: parts[label] for label in SYNCED_NODES}, {name: parts[name] for name in RELATIONSHIPS})

    @classmethod
    @cache
    def empty(cls) -> "Graph":
        """A graph without nodes."""
        return cls.of({}, {})

    def parts(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Every label and type with its rows."""
        yield from self.nodes.items()
        yield from self.edges.items()

    def counts(self) -> dict[str, int]:
        """Number of rows of every label and type."""
        return {name: frame.height for name, frame in self.parts()}

    @property
    def size(self) -> int:
        """Number of nodes and relationships."""
        return sum(self.counts().values())

    @cached_property
    def foreign_nodes(self) -> Mapping[tuple[str, str], list[str]]:
        """Keys of the nodes of somebody else that relationships end at, per label and key property, all sorted."""
        found = [
            frame.filter(**kind).select(label=pl.lit(label), key=pl.lit(key), value=side).unique()
            for frame in self.edges.values()
            for ends in end_kinds(frame)
            for kind in [dict(zip(END_KIND, ends, strict=True))]
            for side, label, key in (("start", *ends[:2]), ("end", *ends[2:]))
            if is_foreign(label, key)
        ]
        if not found:
            return {}
        grouped = pl.concat(found).unique().group_by("label", "key").agg(pl.col("value").sort()).sort("label", "key")
        return {(label, key): values for label, key, values in grouped.rows()}

    @property
    def foreign_ends(self) -> tuple[str, ...]:
        """`Label.key` of these nodes, sorted."""
        return tuple(f"{label}.{key}" for label, key in self.foreign_nodes)

    def equals(self, other: "Graph") -> bool:
        """Whether both hold the same nodes and relationships with the same properties."""
        theirs = dict(other.parts())
        return all(frame.equals(theirs[name]) for name, frame in self.parts())

    def fingerprint(self) -> str:
        """Hex SHA-256 of the hashes of all rows: tells runs apart, and is another with another version of polars."""
        digest = hashlib.sha256()
        for name, frame in self.parts():
            digest.update(f"{name} {frame.height}\n".encode())
            # By polars: a seventh of the time that writing all rows as JSON takes, during which the server has to wait.
            digest.update(frame.hash_rows().to_numpy().data)
        return digest.hexdigest()


def end_kinds(frame: pl.DataFrame) -> list[Ends]:
    """Distinct kinds of ends of a relationship frame, sorted."""
    if frame.is_empty():
        return []
    only = [only_value(frame[column]) for column in END_KIND]
    if None not in only:
        # A tenth of the time of looking for distinct rows, and what nearly every type has.
        kinds = [tuple(only)]
    else:
        kinds = frame.select(kind=pl.struct(END_KIND).unique()).unnest("kind").sort(END_KIND).rows()
    return [(a, b, c, d) for a, b, c, d in kinds]


def only_value(column: pl.Series) -> Any:
    """The value of a column that has one value in all rows, else None."""
    first = column.first()
    return first if first is not None and (column == first).all() else None


def _conform(frame: pl.DataFrame | None, schema: pl.Schema, key: list[str]) -> pl.DataFrame:
    if frame is None:
        return pl.DataFrame(schema=schema)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).sort(key).rechunk()
