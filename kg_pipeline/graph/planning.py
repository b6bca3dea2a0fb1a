"""What to write and delete so that the graph becomes the wanted one: pure functions over frames."""

from dataclasses import dataclass

import polars as pl

from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.frames import END_KIND, NODE_KEY, Graph, only_value
from kg_pipeline.graph.model import RELATIONSHIPS

MAX_DELETED_SHARE = 0.5
FREE_DELETES = 20
"""So few rows of a kind may always go: the guard is there for collections that were lost, not for small ones."""


@dataclass(frozen=True)
class Plan:
    """Rows to create, rows to change (whole, as wanted), and rows to delete (whole, as last seen)."""

    new: Graph
    changed: Graph
    deletes: Graph

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.new.size == self.changed.size == self.deletes.size == 0

    def upsert_counts(self) -> dict[str, int]:
        """Rows to create or change, per label and type."""
        changed = self.changed.counts()
        return {name: rows + changed[name] for name, rows in self.new.counts().items()}

    def without_deletes(self) -> "Plan":
        """The same plan with everything left standing but the edges of pairs that a person now rejects."""
        rejected = pl.concat(
            part.edges["REJECTED_EVIDENCE"].select("start", "end") for part in (self.new, self.changed)
        )
        turned = rejected.select(start="end", end="start")
        deletes = {
            "HAS_VISUAL_EVIDENCE": self.deletes.edges["HAS_VISUAL_EVIDENCE"].join(
                rejected, on=["start", "end"], how="semi"
            ),
            "ILLUSTRATES": self.deletes.edges["ILLUSTRATES"].join(turned, on=["start", "end"], how="semi"),
        }
        return Plan(self.new, self.changed, Graph.of({}, deletes))

    def rewriting(self, wanted: Graph) -> "Plan":
        """The same plan that also writes the rows of `wanted` that are so already."""
        new = dict(self.new.parts())
        others = {name: rows.join(new[name], on=key_columns(name), how="anti") for name, rows in wanted.parts()}
        return Plan(self.new, Graph.of(others, others), self.deletes)


def plan(last_synced: Graph, wanted: Graph) -> Plan:
    """The difference: rows of `wanted` that are new or differ in any property, keys that are no longer wanted."""
    before = dict(last_synced.parts())
    compared = {name: _compared(before[name], rows, key_columns(name)) for name, rows in wanted.parts()}
    return Plan(*(Graph.of_sorted({name: sides[side] for name, sides in compared.items()}) for side in range(3)))


def _compared(
    before: pl.DataFrame, after: pl.DataFrame, key: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Rows of `after` that are new, those that differ, and rows of `before` whose key `after` has not; all in order."""
    none = after.clear()
    if after.equals(before):
        return none, none, none
    if before.is_empty() or after.is_empty():
        return after, none, before
    joined = varying(before, after, key)
    # One join by key, and columns compared in place: half the time of joining all columns.
    known = before.select(joined).with_row_index("_place")
    rows = after.select(joined).with_row_index("_row")
    found = rows.join(known, on=joined, how="left", nulls_equal=True, maintain_order="left")
    if found.height > rows.height:
        # Somebody has doubled a node where nothing forbids it.
        place = found.unique("_row", keep="first", maintain_order=True)["_place"]
    else:
        place = found["_place"]
    was, is_known = before[place.fill_null(0)], place.is_not_null()
    differs = pl.zeros(after.height, pl.Boolean, eager=True)
    for name in after.columns:
        if name in key:
            continue
        now, then = after[name], was[name]
        if not isinstance(now.dtype, pl.List) or not _same_lists(now.filter(is_known), then.filter(is_known)):
            differs |= now.ne_missing(then)
    gone = known.join(found.drop_nulls("_place"), on="_place", how="anti", maintain_order="left")["_place"]
    return after.filter(~is_known), after.filter(differs & is_known), before[gone]


def _same_lists(one: pl.Series, other: pl.Series) -> bool:
    """Whether all lists are alike, told by their elements: a tenth of the time of list by list."""
    return one.list.len().equals(other.list.len()) and one.explode().equals(other.explode())


def applied(last_synced: Graph, plan: Plan) -> Graph:
    """What the graph holds when `plan` was applied to `last_synced`."""
    new, changed, deletes = (dict(part.parts()) for part in (plan.new, plan.changed, plan.deletes))

    def merge(name: str, frame: pl.DataFrame) -> pl.DataFrame:
        key = key_columns(name)
        kept = frame.join(changed[name], on=key, how="anti").join(deletes[name], on=key, how="anti")
        return pl.concat([kept, changed[name], new[name]])

    merged = {name: merge(name, frame) for name, frame in last_synced.parts()}
    return Graph.of(merged, merged)


def key_columns(name: str) -> list[str]:
    """Columns that identify a row of a label or relationship type."""
    return RELATIONSHIPS[name].key_columns if name in RELATIONSHIPS else NODE_KEY


def varying(before: pl.DataFrame, after: pl.DataFrame, key: list[str]) -> list[str]:
    """Columns of the key in which rows may differ: most of those of ends hold one value, the same in both frames."""
    only = {name: only_value(before[name]) for name in key if name in END_KIND}
    return [name for name in key if only.get(name) is None or only[name] != only_value(after[name])]


def check_mass_delete(
    plan: Plan, last_synced: Graph, *, max_share: float = MAX_DELETED_SHARE, allowed: bool = False
) -> None:
    """Raise GraphError when a plan deletes more than `max_share` of the nodes of a label or of all relationships."""
    if allowed:
        return
    before = {label: frame.height for label, frame in last_synced.nodes.items()}
    gone = {label: frame.height for label, frame in plan.deletes.nodes.items()}
    before["relationships"] = sum(frame.height for frame in last_synced.edges.values())
    gone["relationships"] = sum(frame.height for frame in plan.deletes.edges.values())
    too_many = [
        f"{count} of {before[name]} {name}"
        for name, count in gone.items()
        if count > FREE_DELETES and count > max_share * before[name]
    ]
    if too_many:
        raise GraphError(
            f"this run would delete {', '.join(too_many)}: more than {max_share:.0%} of what the collection has in the "
            "graph, so nothing was written. Usually a folder was moved, emptied or not mounted. Look at the difference "
            "(kg-pipeline graph diff); if it is meant, run again with --allow-mass-delete"
        )
