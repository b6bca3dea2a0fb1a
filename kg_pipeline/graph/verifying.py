"""Whether the graph is as the tables say: everything of a collection read back and compared, nothing believed."""

from dataclasses import dataclass

import polars as pl

from kg_pipeline.graph.apply import read_head
from kg_pipeline.graph.connection import Connection
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.model import RELATIONSHIPS
from kg_pipeline.graph.planning import key_columns
from kg_pipeline.graph.readback import count_graph, find_strays, present_foreign, read_graph
from kg_pipeline.progress import track

EXAMPLES = 3
"""Rows of each kind of difference that are named."""


@dataclass(frozen=True)
class PartDifference:
    """How the rows of one label or type differ."""

    name: str
    missing: int
    extra: int
    differing: int
    examples: tuple[str, ...]
    """`missing: KEY`, `extra: KEY`, `differs in PROPERTY, …: KEY`: keys and names of properties, never values."""


@dataclass(frozen=True)
class Verification:
    """What was compared and what was found."""

    nodes: int
    relationships: int
    parts: tuple[PartDifference, ...]
    """Labels and types that differ."""
    interrupted: bool
    """Whether a run has claimed the collection and not completed it."""

    @property
    def identical(self) -> bool:
        """Whether the graph holds exactly what the tables say, and no run is under way."""
        return not self.parts and not self.interrupted


def verify(connection: Connection, collection: str, wanted: Graph) -> Verification:
    """Compare the collection in the graph with `wanted`, row by row. Nothing is written. Raises GraphError.

    Relationships to foreign nodes that do not exist are not expected, as a sync leaves them out.
    """
    wanted, _ = present_foreign(connection, wanted)
    head = read_head(connection, collection)
    foreign = tuple(sorted({*head.foreign_ends, *wanted.foreign_ends}))
    found = read_graph(connection, collection, foreign)
    strays = find_strays(connection, collection, found, foreign)
    there = dict(found.parts())
    parts = [_compared(name, rows, there[name]) for name, rows in track(list(wanted.parts()), "comparing")]
    if strays:
        parts.append(PartDifference("relationships doubled or with ends of other kinds", 0, len(strays), 0, ()))
    relationships = sum(rows.height for rows in wanted.edges.values())
    return Verification(
        nodes=wanted.size - relationships,
        relationships=relationships,
        parts=tuple(part for part in parts if part.missing or part.extra or part.differing),
        interrupted=head.claimed != head.generation,
    )


def verify_counts(connection: Connection, collection: str, wanted: Graph) -> Verification:
    """Compare only how many rows of each label and type there are, which a large collection answers in no time."""
    wanted, _ = present_foreign(connection, wanted)
    head, found = read_head(connection, collection), count_graph(connection, collection)
    parts = [
        PartDifference(name, max(0, count - found.get(name, 0)), max(0, found.get(name, 0) - count), 0, ())
        for name, count in wanted.counts().items()
    ]
    relationships = sum(rows.height for rows in wanted.edges.values())
    return Verification(
        nodes=wanted.size - relationships,
        relationships=relationships,
        parts=tuple(part for part in parts if part.missing or part.extra),
        interrupted=head.claimed != head.generation,
    )


def _compared(name: str, wanted: pl.DataFrame, found: pl.DataFrame) -> PartDifference:
    key = key_columns(name)
    missing = wanted.join(found, on=key, how="anti", maintain_order="left")
    extra = found.join(wanted, on=key, how="anti", maintain_order="left")
    properties = [column for column in wanted.columns if column not in key]
    both = wanted.join(found, on=key, suffix="_found", maintain_order="left")
    unequal = both.select(
        *key, *(pl.col(column).ne_missing(pl.col(f"{column}_found")).alias(column) for column in properties)
    )
    differing = unequal.filter(pl.any_horizontal(properties)) if properties else unequal.clear()
    examples = [f"missing: {_key(name, row)}" for row in missing.head(EXAMPLES).iter_rows(named=True)]
    examples += [f"extra: {_key(name, row)}" for row in extra.head(EXAMPLES).iter_rows(named=True)]
    for row in differing.head(EXAMPLES).iter_rows(named=True):
        examples.append(f"differs in {', '.join(column for column in properties if row[column])}: {_key(name, row)}")
    return PartDifference(name, missing.height, extra.height, differing.height, tuple(examples))


def _key(name: str, row: dict[str, object]) -> str:
    if name not in RELATIONSHIPS:
        return str(row["id"])
    return f"({row['start_label']} {row['start']})-->({row['end_label']} {row['end']})"
