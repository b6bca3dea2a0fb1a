"""What of a plan goes into one kind of transaction: rows, the statements for them and the form they take."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from kg_pipeline.graph import statements
from kg_pipeline.graph.batching import EDGE_ROWS, NODE_ROWS, as_lists
from kg_pipeline.graph.frames import Ends, end_kinds
from kg_pipeline.graph.model import NODES, RELATIONSHIPS, is_foreign
from kg_pipeline.graph.planning import key_columns


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


def upsert_jobs(name: str, rows: pl.DataFrame, is_new: bool) -> Iterator[Job]:
    """Jobs that write rows of one label or type. `is_new`: the graph has none of their keys."""
    if rows.is_empty():
        return
    if name in NODES:
        node = NODES[name]
        first = [statements.node_create(node)] if is_new else None
        yield Job(name, rows, NODE_ROWS, [statements.node_merge(node)], first)
        return
    edge = RELATIONSHIPS[name]
    for ends, same in by_ends(name, rows):
        # The hold on a shared node is there with the node, bare.
        first = [statements.edge_create(edge, ends)] if is_new and name != "IN_COLLECTION" else None
        yield Job(name, same, EDGE_ROWS, [statements.edge_merge(edge, ends)], first, ends)


def known_and_new(name: str, rows: pl.DataFrame, before: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose key `before` has, and the others."""
    if before.is_empty():
        return rows.clear(), rows
    key = key_columns(name)
    # First the few that are written: a table of the many that are there would have to be made otherwise.
    known = before.select(key).join(rows.select(key), on=key, how="semi")
    return (
        rows.join(known, on=key, how="semi", maintain_order="left"),
        rows.join(known, on=key, how="anti", maintain_order="left"),
    )


def by_ends(name: str, rows: pl.DataFrame) -> Iterator[tuple[Ends, pl.DataFrame]]:
    """Relationships of one type by the kind of their ends: start, end, properties."""
    for ends in end_kinds(rows):
        start_label, start_key, end_label, end_key = ends
        same = rows.filter(start_label=start_label, start_key=start_key, end_label=end_label, end_key=end_key)
        yield ends, same.select("start", "end", *RELATIONSHIPS[name].properties)


_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


def foreign_keys(value: str) -> list[str | int]:
    """What the key of a foreign node may be: it is text in our tables and may be a number in the graph."""
    return [value, int(value)] if _INTEGER.fullmatch(value) else [value]
