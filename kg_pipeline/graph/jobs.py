"""What of a plan goes into one kind of transaction: rows, the statements for them and the form they take."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from kg_pipeline.graph import statements
from kg_pipeline.graph.batching import EDGE_ROWS, NODE_ROWS, as_lists
from kg_pipeline.graph.frames import END_KIND, Ends, Graph, end_kinds
from kg_pipeline.graph.model import RELATIONSHIPS, SYNCED_NODES, NodeType, RelationshipType, is_foreign
from kg_pipeline.graph.planning import Plan

FEW_ROWS = 1_000
"""So few new relationships are merged together with those that changed: a transaction more takes longer."""


@dataclass(frozen=True)
class Job:
    """Rows that the same statements write or delete."""

    name: str
    rows: pl.DataFrame
    max_rows: int
    texts: list[str]
    """Statements of one transaction."""
    first: list[str] | None = None
    """Statements of the first attempt, which only hold as long as nobody can know the rows yet."""
    ends: Ends | None = None
    with_holds: bool = False
    """Whether a row is a shared node and our hold on it."""

    def statements(self, batch: pl.DataFrame, *, is_first: bool) -> tuple[list[str], list[list[object]]]:
        """What one transaction runs for these rows, and its parameter `rows`."""
        return self.first if is_first and self.first is not None else self.texts, self._lists(batch)

    def _lists(self, batch: pl.DataFrame) -> list[list[object]]:
        rows = as_lists(batch)
        for place, end in enumerate((self.ends[:2], self.ends[2:]) if self.ends else ()):
            if is_foreign(*end):
                for row in rows:
                    row[place] = foreign_keys(str(row[place]))
        return rows


@dataclass(frozen=True)
class Upserts:
    """What writes the upserts of a plan."""

    nodes: list[Job]
    edges: Iterator[Job]
    counts: Mapping[str, int]
    """Rows of every label and type that the graph has then, as nothing was deleted yet."""


def upsert_jobs(plan: Plan, last: Graph) -> Upserts:
    """Jobs that write the rows of the plan, which was made for `last`, what the graph has."""
    new, changed, before = dict(plan.new.parts()), dict(plan.changed.parts()), last.counts()
    counts = {name: before[name] + rows.height for name, rows in new.items()}
    nodes: list[Job] = []
    # What one writer has to do alone comes first.
    for label, node in sorted(SYNCED_NODES.items(), key=lambda item: not item[1].shared):
        created = new[label]
        if node.shared:
            created, new["IN_COLLECTION"] = _with_holds(label, created, new["IN_COLLECTION"])
        nodes += _node_jobs(node, changed[label], created)
    edges = (job for name, edge in RELATIONSHIPS.items() for job in _edge_jobs(edge, changed[name], new[name]))
    return Upserts(nodes, edges, counts)


def _node_jobs(node: NodeType, changed: pl.DataFrame, new: pl.DataFrame) -> Iterator[Job]:
    if not changed.is_empty():
        yield Job(node.label, changed, NODE_ROWS, [statements.node_merge(node)])
    if not new.is_empty():
        merge = [statements.node_merge(node, with_holds=node.shared)]
        yield Job(node.label, new, NODE_ROWS, merge, [statements.node_create(node)], with_holds=node.shared)


def _with_holds(label: str, nodes: pl.DataFrame, holds: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Shared nodes with the properties of our hold on each, and the holds on other nodes."""
    mine = (
        pl.col("start").is_in(nodes["id"].implode()) & (pl.col("start_label") == label) & (pl.col("start_key") == "id")
    )
    found = holds.filter(mine).select("start", *RELATIONSHIPS["IN_COLLECTION"].properties)
    return nodes.join(found, left_on="id", right_on="start", how="left", maintain_order="left"), holds.filter(~mine)


def _edge_jobs(edge: RelationshipType, changed: pl.DataFrame, new: pl.DataFrame) -> Iterator[Job]:
    # Whoever has written a shared node has made a bare hold on it.
    if edge.type == "IN_COLLECTION" or (changed.height and new.height <= FEW_ROWS):
        changed, new = pl.concat([changed, new]), new.clear()
    for ends, rows in by_ends(edge.type, changed):
        yield Job(edge.type, rows, EDGE_ROWS, [statements.edge_merge(edge, ends)], ends=ends)
    for ends, rows in by_ends(edge.type, new):
        merge, create = [statements.edge_merge(edge, ends)], [statements.edge_create(edge, ends)]
        yield Job(edge.type, rows, EDGE_ROWS, merge, create, ends)


def by_ends(name: str, rows: pl.DataFrame) -> Iterator[tuple[Ends, pl.DataFrame]]:
    """Relationships of one type by the kind of their ends: start, end, properties."""
    kinds = end_kinds(rows)
    for ends in kinds:
        # A million relationships of one kind are not copied.
        same = rows.filter(**dict(zip(END_KIND, ends, strict=True))) if len(kinds) > 1 else rows
        yield ends, same.select("start", "end", *RELATIONSHIPS[name].properties)


_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


def foreign_keys(value: str) -> list[str | int]:
    """What the key of a foreign node may be: it is text in our tables and may be a number in the graph."""
    return [value, int(value)] if _INTEGER.fullmatch(value) else [value]
