"""Writing a plan to the graph: claim a generation, upsert, verify counts, delete, complete. Idempotent and fenced."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from threading import Event, Lock
from typing import Any

import neo4j
import polars as pl

from kg_pipeline.graph import statements
from kg_pipeline.graph.batching import EDGE_ROWS, NODE_ROWS, WRITERS, batches, rounds
from kg_pipeline.graph.connection import BatchTooLargeError, Connection, Result, Transaction
from kg_pipeline.graph.errors import DriftError, GraphError, SupersededError
from kg_pipeline.graph.jobs import Job, Upserts, by_ends
from kg_pipeline.graph.model import MARKER, MODEL_VERSION, NODES, RELATIONSHIPS, SYNCED_NODES, UNVERSIONED, is_foreign
from kg_pipeline.graph.names import VARIABLE, Names
from kg_pipeline.graph.planning import Plan
from kg_pipeline.graph.unique_keys import unique_labels
from kg_pipeline.graph_nodes import PLAIN_NAME
from kg_pipeline.progress import progress


@dataclass(frozen=True)
class Head:
    """What the Collection node says: the generation that was completed, and the one that was claimed last."""

    generation: int = 0
    claimed: int = 0
    input_hash: str | None = None
    completed_at: str | None = None
    foreign_ends: tuple[str, ...] = ()
    """`Label.key` of foreign nodes that relationships of the collection may end at."""
    model: int = MODEL_VERSION
    """Version of the graph model that the last completed run wrote."""

    @property
    def outdated(self) -> bool:
        """Whether it was written with an older graph model: what the graph holds may mean something else."""
        return self.model < MODEL_VERSION

    @property
    def clean(self) -> bool:
        """Whether the last run that claimed the collection also completed."""
        return self.generation > 0 and self.claimed == self.generation


@dataclass(frozen=True)
class Claim:
    """The right of one run to write one collection, until a newer run claims it."""

    connection: Connection
    collection: str
    generation: int
    token: str
    """Tells two runs apart that claim the same generation at the same time."""
    now: datetime
    foreign_ends: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that every statement may use."""
        return {
            "collection": self.collection,
            "generation": self.generation,
            "token": self.token,
            "now": self.now,
            "marker": MARKER,
            "foreign_ends": list(self.foreign_ends),
            "model": MODEL_VERSION,
            "names": [f"{ours}={theirs}" for ours, theirs in self.connection.names.renamed] or None,
        }


def read_head(connection: Connection, collection: str) -> Head:
    """The state of the collection in the graph. Raises GraphError when its node belongs to somebody else."""
    return _head(connection.read(statements.HEAD, collection=collection), connection, collection)


def claim(connection: Connection, collection: str, expected: Head, now: datetime, foreign: tuple[str, ...]) -> Claim:
    """Claim the next generation. Raises SupersededError when the collection is not as `expected` any more."""
    kept = tuple(sorted({*expected.foreign_ends, *foreign}))
    generation = max(expected.generation, expected.claimed) + 1
    taken = Claim(connection, collection, generation, secrets.token_hex(8), now, kept)

    def work(transaction: Transaction) -> None:
        if not expected.claimed:
            transaction.run(statements.CREATE_COLLECTION, taken.parameters).consume()
        state = transaction.run(statements.FENCE, taken.parameters).single()
        if state is None:
            raise SupersededError(_superseded(collection, generation, None))
        as_expected = (state["generation"], state["claimed"]) == (expected.generation, expected.claimed)
        # A retry after a commit whose answer was lost finds its own claim.
        if not as_expected and state["claimed_by"] != taken.token:
            raise SupersededError(_superseded(collection, generation, state["claimed"]))
        transaction.run(statements.CLAIM, taken.parameters).consume()

    connection.write(work)
    return taken


def apply(claim: Claim, plan: Plan, upserts: Upserts) -> None:
    """Write the plan: nodes, relationships, count check, deletes.

    `upserts`: those of the plan, made for what the collection is in the graph while the claim is held. Raises
    DriftError when the graph holds other counts, SupersededError when a newer run has claimed the collection,
    GraphError.
    """
    report = _Progress(plan.new.size + plan.changed.size + plan.deletes.size)
    _upsert(claim, upserts, report)
    verify_counts(claim, {name: upserts.counts[name] for name in _touched(plan)})
    _delete(claim, plan, report)


def complete(claim: Claim, input_hash: str, foreign: tuple[str, ...]) -> Head:
    """Mark the generation complete and return the state of the collection from now on. Raises SupersededError."""
    parameters = {**claim.parameters, "input_hash": input_hash, "foreign_ends": list(foreign)}
    _transact(claim, lambda transaction: transaction.run(statements.COMPLETE, parameters).consume())
    head = read_head(claim.connection, claim.collection)
    if head.generation != claim.generation:
        # A whole other run since the commit: its head must never vouch for what this one wrote.
        raise SupersededError(_superseded(claim.collection, claim.generation, head.generation))
    return head


def delete_strays(claim: Claim, elements: Sequence[str]) -> None:
    """Delete relationships by element id."""
    parameters = {**claim.parameters, "rows": list(elements)}
    _transact(claim, lambda transaction: transaction.run(statements.DELETE_STRAYS, parameters).consume())


def count(connection: Connection, collection: str, names: Sequence[str]) -> dict[str, int]:
    """Nodes per label and relationships per type that the collection has in the graph, read from it."""

    def one(name: str) -> int:
        text = statements.node_count(NODES[name]) if name in NODES else statements.edge_count(RELATIONSHIPS[name])
        return int(connection.read(text, collection=collection)[0]["n"])

    with ThreadPoolExecutor(WRITERS) as threads:
        return dict(zip(names, threads.map(one, names), strict=True))


def verify_counts(claim: Claim, expected: dict[str, int]) -> None:
    """Raise DriftError when the graph holds more or fewer rows than expected."""
    found = count(claim.connection, claim.collection, list(expected))
    wrong = [f"{name} {found[name]} instead of {number}" for name, number in expected.items() if found[name] != number]
    if wrong:
        raise DriftError(
            f"collection {claim.collection}: {claim.connection.address} holds {', '.join(wrong)}: somebody else "
            "changes nodes or relationships of this collection. Run again; if it stays, look for a second writer"
        )


class _Progress:
    """Counts rows for whoever shows progress, from several threads."""

    def __init__(self, total: int) -> None:
        self.advance, self.done, self.lock = progress("writing the graph", total), 0, Lock()

    def __call__(self, rows: int) -> None:
        with self.lock:
            self.done += rows
            self.advance(self.done)


def _upsert(claim: Claim, upserts: Upserts, report: Callable[[int], None]) -> None:
    failed = Event()

    def write(job: Job, rows: pl.DataFrame) -> None:
        for batch in batches(rows, job.max_rows):
            if failed.is_set():
                return
            written = _send(claim, job, batch)
            if written != batch.height:
                raise DriftError(
                    f"collection {claim.collection}: of {batch.height} {job.name} only {written} could be written to "
                    f"{claim.connection.address}: their ends are gone, or nodes with these ids belong to somebody else"
                )
            report(2 * batch.height if job.with_holds else batch.height)

    for groups in _rounds(claim, upserts):
        if len(groups) == 1:
            write(*groups[0])
            continue
        with ThreadPoolExecutor(WRITERS) as threads:
            running = [threads.submit(write, *group) for group in groups]
            try:
                for thread in running:
                    thread.result()
            except BaseException:
                failed.set()
                raise


def _rounds(claim: Claim, upserts: Upserts) -> Iterator[list[tuple[Job, pl.DataFrame]]]:
    """Rounds of rows that several writers may write at once: all nodes, then each kind of relationship."""
    if not claim.connection.parallel:
        yield from ([(job, job.rows)] for job in chain(upserts.nodes, upserts.edges))
        return
    yield [(job, rows) for job in upserts.nodes for rows in _shares(job)]
    for job in upserts.edges:
        assert job.ends is not None
        yield from ([(job, rows) for rows in groups] for groups in rounds(job.rows, job.ends))


def _shares(job: Job) -> list[pl.DataFrame]:
    # The hold of shared nodes makes their writers wait for each other at the Collection node.
    return [job.rows] if NODES[job.name].shared else list(job.rows.iter_slices(job.max_rows))


def _delete(claim: Claim, plan: Plan, report: Callable[[int], None]) -> None:
    """Relationships first, so that no DETACH DELETE has to load many; the hold on a shared node goes with the node."""
    for name, rows in plan.deletes.edges.items():
        for ends, same in by_ends(name, rows):
            gone = same
            if name == "IN_COLLECTION" and not is_foreign(*ends[:2]):
                gone = same.join(plan.deletes.nodes[ends[0]], left_on="start", right_on="id", how="anti")
            job = Job(name, gone, EDGE_ROWS, [statements.edge_delete(RELATIONSHIPS[name], ends)], ends=ends)
            for batch in batches(gone, EDGE_ROWS):
                _send(claim, job, batch)
            report(same.height)
    for label, node in SYNCED_NODES.items():
        job = Job(label, plan.deletes.nodes[label].select("id"), NODE_ROWS, statements.node_deletes(node))
        for batch in batches(job.rows, NODE_ROWS):
            _send(claim, job, batch)
            report(batch.height)


def _send(claim: Claim, job: Job, batch: pl.DataFrame, again: bool = False) -> int:
    """Write one batch in one transaction; halve it when the server has too little memory. `again`: it may be there."""

    def work(transaction: Transaction) -> int:
        # An attempt that failed may have been committed all the same, and its rows must not be created twice. A node
        # that is there already (somebody else's) makes CREATE fail, and MERGE then tells.
        nonlocal again
        is_first, again = not again, True
        texts, rows = job.statements(batch, is_first=is_first)
        written = 0
        for text in texts:
            record = transaction.run(text, {**claim.parameters, "rows": rows}).single()
            written = record["written"] if record else 0
        return written

    try:
        return _transact(claim, work)
    except BatchTooLargeError as error:
        if batch.height == 1:
            raise GraphError(
                f"{claim.connection.address} has too little memory for a single row: "
                "raise dbms.memory.transaction.total.max"
            ) from error
    half = batch.height // 2
    return _send(claim, job, batch.slice(0, half), again) + _send(claim, job, batch.slice(half), again)


def _transact(claim: Claim, work: Callable[[Transaction], Result]) -> Result:
    """Run `work` in a transaction that is committed only while the claim holds.

    The lock on the Collection node comes last: several writers of one run wait for each other's commit only.
    """
    is_first = True

    def fenced(transaction: Transaction) -> Result:
        nonlocal is_first
        if not is_first:
            # The attempt whose answer was lost may be committing still: wait for its lock before anything is looked at.
            _check_claim(claim, transaction.run(statements.FENCE, claim.parameters).single())
        is_first = False
        result = work(transaction)
        _check_claim(claim, transaction.run(statements.FENCE, claim.parameters).single())
        return result

    return claim.connection.write(fenced)


def _check_claim(claim: Claim, record: neo4j.Record | None) -> None:
    if record is None or record["claimed_by"] != claim.token:
        raise SupersededError(_superseded(claim.collection, claim.generation, record["claimed"] if record else None))


def _touched(plan: Plan) -> list[str]:
    deletes = plan.deletes.counts()
    return [name for name, rows in plan.upsert_counts().items() if rows or deletes[name]]


def _head(records: list[dict[str, Any]], connection: Connection, collection: str) -> Head:
    if not records:
        _check_first(connection, collection)
        return Head()
    found = records[0]
    if found["managed_by"] != MARKER:
        raise GraphError(
            f"{connection.address} has a node (:Collection {{id: {collection!r}}}) that kg-pipeline did not make: "
            "rename the collection in collections.yaml, or use a database of its own (NEO4J_DATABASE)"
        )
    _check_names(connection, collection, found["names"])
    model = UNVERSIONED if found["model"] is None else found["model"]
    if model > MODEL_VERSION:
        raise GraphError(
            f"collection {collection} was written to {connection.address} by a newer kg-pipeline (graph model {model}, "
            f"this one knows {MODEL_VERSION}): update kg-pipeline, or use another database (NEO4J_DATABASE)"
        )
    completed = found["completed_at"]
    return Head(
        generation=found["generation"] or 0,
        claimed=found["claimed"] or 0,
        input_hash=found["input_hash"],
        completed_at=str(completed) if completed is not None else None,
        foreign_ends=tuple(found["foreign_ends"] or ()),
        model=model,
    )


def _check_first(connection: Connection, collection: str) -> None:
    """Raise GraphError when the collection is there under another name of the label Collection."""
    for label in unique_labels(connection):
        if label != connection.names["Collection"] and PLAIN_NAME.fullmatch(label):
            text = statements.COLLECTION_UNDER.format(label=label)
            for found in connection.ask(text, collection=collection, marker=MARKER):
                _check_names(connection, collection, found["names"])


def _check_names(connection: Connection, collection: str, written: list[str] | None) -> None:
    then = Names.of(dict(pair.split("=", 1) for pair in written or ()))
    if then != connection.names:
        raise GraphError(
            f"collection {collection} was written to {connection.address} under other names, {VARIABLE}='{then}' and "
            f"not '{connection.names}', and would be there twice: set the variable as it was, or use another database "
            "(NEO4J_DATABASE)"
        )


def _superseded(collection: str, ours: int, theirs: int | None) -> str:
    if theirs is None:
        return f"collection {collection}: its node vanished from the graph while this run wrote to it; run again"
    return (
        f"collection {collection}: another run has claimed generation {theirs}, so this one ({ours}) stops writing. "
        "Nothing is lost: let the other run finish"
    )
