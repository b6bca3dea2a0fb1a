"""Bringing the graph to what is wanted: plan against what was last written, apply, remember."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kg_pipeline.graph.apply import Claim, Head, apply, claim, complete, delete_strays, read_head
from kg_pipeline.graph.connection import Connection
from kg_pipeline.graph.errors import DriftError
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.jobs import upsert_jobs
from kg_pipeline.graph.planning import Plan, applied, check_mass_delete, plan
from kg_pipeline.graph.readback import find_strays, holds_foreign_edges, present_foreign, read_graph
from kg_pipeline.graph.synced import SyncedState
from kg_pipeline.graph.unique_keys import ensure_unique_keys


@dataclass(frozen=True)
class SyncReport:
    """What a sync did."""

    generation: int
    upserted: Mapping[str, int]
    """Rows created or changed, per label and type; those without any are left out."""
    deleted: Mapping[str, int]
    unchanged: int
    """Rows that were as wanted already."""
    read_back: bool
    """Whether the graph had to be read, because it was not as this HOME left it."""
    deletes_blocked: str | None = None
    """Why rows that are not wanted any more were left standing."""
    left_standing: Mapping[str, int] = field(default_factory=dict)
    dangling: Mapping[str, int] = field(default_factory=dict)
    """Relationships left out because an end is in no table."""
    foreign_missing: int = 0
    """Relationships left out because their foreign node does not exist or is not unique."""

    @property
    def writes(self) -> int:
        """Rows written or deleted."""
        return sum(self.upserted.values()) + sum(self.deleted.values())


@dataclass(frozen=True)
class Difference:
    """A plan and what it was made from."""

    head: Head
    last: Graph
    plan: Plan
    read_back: bool
    strays: list[str]
    """Element ids of relationships of ours that the model cannot hold; they are deleted in any case."""


def difference(
    connection: Connection, collection: str, wanted: Graph, *, home: Path, read_back: bool = False
) -> Difference:
    """What a sync would do; nothing is written. Raises GraphError."""
    wanted, _ = present_foreign(connection, wanted)
    return _compared(connection, collection, wanted, read_head(connection, collection), home, read_back)


def sync(
    connection: Connection,
    collection: str,
    wanted: Graph,
    *,
    home: Path,
    deletes_blocked: str | None = None,
    allow_mass_delete: bool = False,
    read_back: bool = False,
    full_refresh: bool = False,
) -> SyncReport:
    """Make the collection in the graph what is wanted, writing only what differs.

    `deletes_blocked`: why nothing may be deleted (a source could not be listed). `read_back`: read the graph instead of
    believing the note of the last run. `full_refresh`: and write every row, also those that are as wanted. Raises
    GraphError; SupersededError when a newer run took over.
    """
    wanted, foreign_missing = present_foreign(connection, wanted)

    def attempt(read_back: bool) -> tuple[Head, Plan, Difference]:
        head = read_head(connection, collection)
        taken = None
        if head.claimed != head.generation:
            # The run that claimed last may be writing still: what is read before it is fenced off can be old already.
            taken = _claim(connection, collection, head, wanted)
        found = _compared(connection, collection, wanted, head, home, read_back)
        planned = found.plan.rewriting(wanted) if full_refresh or head.outdated else found.plan
        planned = planned.without_deletes() if deletes_blocked else planned
        check_mass_delete(planned, found.last, allowed=allow_mass_delete)
        return *_write(connection, collection, wanted, found, planned, home, taken), found

    try:
        head, planned, found = attempt(read_back or full_refresh)
    except DriftError:
        # The graph is not what the note says. Once more, against what it really holds; a second time is an error.
        head, planned, found = attempt(True)
    return SyncReport(
        generation=head.generation,
        upserted=_present(planned.upsert_counts()),
        deleted=_present(planned.deletes.counts()),
        unchanged=wanted.size - sum(planned.upsert_counts().values()),
        read_back=found.read_back,
        deletes_blocked=deletes_blocked,
        left_standing=_left(found.plan.deletes, planned.deletes),
        dangling=wanted.dangling,
        foreign_missing=foreign_missing,
    )


def _compared(
    connection: Connection, collection: str, wanted: Graph, head: Head, home: Path, read_back: bool
) -> Difference:
    believed = head.clean and not head.outdated and not read_back
    last = SyncedState(home, collection, connection.identity).load(head) if believed else None
    if last is not None and holds_foreign_edges(connection, collection, last):
        return Difference(head, last, plan(last, wanted), False, [])
    last = read_graph(connection, collection, _foreign(head, wanted))
    strays = find_strays(connection, collection, last, _foreign(head, wanted))
    return Difference(head, last, plan(last, wanted), True, strays)


def _claim(connection: Connection, collection: str, head: Head, wanted: Graph) -> Claim:
    ensure_unique_keys(connection)
    # Milliseconds: what every server keeps, so that the note compares equal to what is read.
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return claim(connection, collection, head, now, _foreign(head, wanted))


def _write(
    connection: Connection,
    collection: str,
    wanted: Graph,
    found: Difference,
    planned: Plan,
    home: Path,
    taken: Claim | None,
) -> tuple[Head, Plan]:
    state = SyncedState(home, collection, connection.identity)
    if planned.empty and found.head.clean and not found.head.outdated and not found.strays:
        if found.read_back:
            state.save(found.head, found.last)
        return found.head, planned
    after = wanted if planned is found.plan else applied(found.last, planned)
    with ThreadPoolExecutor(1) as beside:
        # While the server works, from the claim on: the note does not count before `point` says so.
        note, fingerprint = beside.submit(state.write, after), beside.submit(wanted.fingerprint)
        claimed = taken or _claim(connection, collection, found.head, wanted)
        if found.strays:
            delete_strays(claimed, found.strays)
        apply(claimed, planned, upsert_jobs(planned, found.last))
    head = complete(claimed, fingerprint.result(), after.foreign_ends)
    state.point(head, note.result())
    return head, planned


def _foreign(head: Head, wanted: Graph) -> tuple[str, ...]:
    return tuple(sorted({*head.foreign_ends, *wanted.foreign_ends}))


def _left(wished: Graph, done: Graph) -> dict[str, int]:
    counts = done.counts()
    return {name: rows - counts[name] for name, rows in wished.counts().items() if rows > counts[name]}


def _present(counts: dict[str, int]) -> dict[str, int]:
    return {name: rows for name, rows in counts.items() if rows}
