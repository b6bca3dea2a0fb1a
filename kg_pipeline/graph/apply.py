"""Writing a plan to the graph: claim a generation, upsert, verify counts, delete, complete. Idempotent and fenced."""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from kg_pipeline.graph import statements
from kg_pipeline.graph.connection import BatchTooLargeError, Connection, Result, Transaction
from kg_pipeline.graph.errors import DriftError, GraphError, SupersededError
from kg_pipeline.graph.frames import Ends, end_kinds
from kg_pipeline.graph.model import MARKER, NODES, RELATIONSHIPS, SYNCED_NODES, VECTOR, is_foreign
from kg_pipeline.graph.names import VARIABLE, Names
from kg_pipeline.graph.planning import Plan
from kg_pipeline.graph.unique_keys import unique_labels
from kg_pipeline.graph_nodes import PLAIN_NAME
from kg_pipeline.progress import progress

NODE_ROWS, EDGE_ROWS = 5_000, 10_000
# Transactions of 1.5 MB a row have exhausted a pool of 3.5 GiB elsewhere (cartography 72e632efa).
BATCH_BYTES = 8_000_000


@dataclass(frozen=True)
class Head:
    """What the Collection node says: the generation that was completed, and the one that was claimed last."""

    generation: int = 0
    claimed: int = 0
    input_hash: str | None = None
    completed_at: str | None = None
    foreign_ends: tuple[str, ...] = ()
    """`Label.key` of foreign nodes that relationships of the collection may end at."""

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
            "names": [f"{ours}={theirs}" for ours, theirs in self.connection.names.renamed],
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
        transaction.run(statements.CREATE_COLLECTION, taken.parameters).consume()
        transaction.run(statements.FENCE, taken.parameters).consume()
        records = transaction.run(statements.HEAD, taken.parameters).data()
        found = _head(records, connection, collection)
        # A retry after a commit whose answer was lost finds its own claim.
        ours = records[0]["claimed_by"] == taken.token
        if not ours and (found.generation, found.claimed) != (expected.generation, expected.claimed):
            raise SupersededError(_superseded(collection, taken.generation, found.claimed))
        transaction.run(statements.CLAIM, taken.parameters).consume()

    connection.write(work)
    return taken


def apply(claim: Claim, plan: Plan, expected_counts: dict[str, int]) -> None:
    """Write the plan: nodes, relationships, count check, deletes.

    `expected_counts`: rows per label and type before the deletes. Raises DriftError when the graph holds other
    counts, SupersededError when a newer run has claimed the collection, GraphError.
    """
    total = plan.upserts.size + plan.deletes.size
    advance, done = progress("writing the graph", total), 0

    def report(rows: int) -> None:
        nonlocal done
        done += rows
        advance(done)

    for label, rows in plan.upserts.nodes.items():
        packed = rows.select("id", p=pl.struct(pl.exclude("id")))
        _upsert(claim, label, statements.node_upsert(NODES[label]), packed, NODE_ROWS, report)
    for name, rows in plan.upserts.edges.items():
        for ends, packed in _by_ends(name, rows):
            _upsert(claim, name, statements.edge_upsert(RELATIONSHIPS[name], ends), packed, EDGE_ROWS, report, ends)
    verify_counts(claim, {name: expected_counts[name] for name in _touched(plan)})
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
    counts = {}
    for name in names:
        text = statements.node_count(NODES[name]) if name in NODES else statements.edge_count(RELATIONSHIPS[name])
        counts[name] = connection.read(text, collection=collection)[0]["n"]
    return counts


_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


def foreign_keys(value: str) -> list[str | int]:
    """What the key of a foreign node may be: it is text in our tables and may be a number in the graph."""
    return [value, int(value)] if _INTEGER.fullmatch(value) else [value]


def verify_counts(claim: Claim, expected: dict[str, int]) -> None:
    """Raise DriftError when the graph holds more or fewer rows than expected."""
    found = count(claim.connection, claim.collection, list(expected))
    wrong = [f"{name} {found[name]} instead of {number}" for name, number in expected.items() if found[name] != number]
    if wrong:
        raise DriftError(
            f"collection {claim.collection}: {claim.connection.address} holds {', '.join(wrong)}: somebody else "
            "changes nodes or relationships of this collection. Run again; if it stays, look for a second writer"
        )


def batches(rows: pl.DataFrame, max_rows: int, max_bytes: int = BATCH_BYTES) -> Iterator[pl.DataFrame]:
    """Slices of at most `max_rows` rows and about `max_bytes` of text (a single larger row goes alone)."""
    sizes = _row_bytes(rows).to_list()
    start, size = 0, 0
    for position, row_bytes in enumerate(sizes):
        if position > start and (position - start == max_rows or size + row_bytes > max_bytes):
            yield rows.slice(start, position - start)
            start, size = position, 0
        size += row_bytes
    if start < rows.height:
        yield rows.slice(start)


def _row_bytes(rows: pl.DataFrame) -> pl.Series:
    flat = rows.unnest("p") if "p" in rows.columns else rows
    texts = [pl.col(name).str.len_bytes() for name, dtype in flat.schema.items() if dtype == pl.String]
    lists = [
        pl.col(name).list.eval(pl.element().str.len_bytes()).list.sum()
        for name, dtype in flat.schema.items()
        if dtype == pl.List(pl.String)
    ]
    # A float is 9 bytes on the wire.
    vectors = [pl.col(name).list.len() * 9 for name, dtype in flat.schema.items() if dtype == VECTOR]
    # 100: numbers, keys and framing of a row.
    return flat.select(pl.sum_horizontal(pl.lit(100), *texts, *lists, *vectors).cast(pl.Int64).alias("bytes"))["bytes"]


def _upsert(
    claim: Claim,
    name: str,
    text: str,
    packed: pl.DataFrame,
    max_rows: int,
    report: Callable[[int], None],
    ends: Ends | None = None,
) -> None:
    for batch in batches(packed, max_rows):
        written = _send(claim, [text], batch, ends)
        if written != batch.height:
            raise DriftError(
                f"collection {claim.collection}: of {batch.height} {name} only {written} could be written to "
                f"{claim.connection.address}: their ends are gone, or nodes with these ids belong to somebody else"
            )
        report(batch.height)


def _delete(claim: Claim, plan: Plan, report: Callable[[int], None]) -> None:
    """Relationships first, so that no DETACH DELETE has to load many; the hold on a shared node goes with the node."""
    for name, rows in plan.deletes.edges.items():
        for ends, packed in _by_ends(name, rows):
            gone = packed
            if name == "IN_COLLECTION" and ends[0] in NODES:
                gone = packed.join(plan.deletes.nodes[ends[0]], left_on="start", right_on="id", how="anti")
            for batch in batches(gone, EDGE_ROWS):
                _send(claim, [statements.edge_delete(RELATIONSHIPS[name], ends)], batch, ends)
            report(packed.height)
    for label, node in SYNCED_NODES.items():
        for batch in batches(plan.deletes.nodes[label].select("id"), NODE_ROWS):
            _send(claim, statements.node_deletes(node), batch)
            report(batch.height)


def _send(claim: Claim, texts: list[str], batch: pl.DataFrame, ends: Ends | None = None) -> int:
    """Run statements on one batch in one transaction; halve the batch when the server has too little memory for it."""
    rows = batch.to_dicts()
    for side, label, key in (("start", ends[0], ends[1]), ("end", ends[2], ends[3])) if ends else ():
        if is_foreign(label, key):
            for row in rows:
                row[side] = foreign_keys(row[side])

    def work(transaction: Transaction) -> int:
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
    return _send(claim, texts, batch.slice(0, half), ends) + _send(claim, texts, batch.slice(half), ends)


def _transact(claim: Claim, work: Callable[[Transaction], Result]) -> Result:
    def fenced(transaction: Transaction) -> Result:
        record = transaction.run(statements.FENCE, claim.parameters).single()
        if record is None or record["claimed_by"] != claim.token:
            raise SupersededError(
                _superseded(claim.collection, claim.generation, record["claimed"] if record else None)
            )
        return work(transaction)

    return claim.connection.write(fenced)


def _by_ends(name: str, rows: pl.DataFrame) -> Iterator[tuple[Ends, pl.DataFrame]]:
    properties = list(RELATIONSHIPS[name].properties)
    packed = [pl.struct(properties).alias("p")] if properties else []
    for ends in end_kinds(rows):
        start_label, start_key, end_label, end_key = ends
        same = rows.filter(start_label=start_label, start_key=start_key, end_label=end_label, end_key=end_key)
        yield ends, same.select("start", "end", *packed)


def _touched(plan: Plan) -> list[str]:
    upserts, deletes = plan.upserts.counts(), plan.deletes.counts()
    return [name for name in upserts if upserts[name] or deletes[name]]


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
    completed = found["completed_at"]
    return Head(
        generation=found["generation"] or 0,
        claimed=found["claimed"] or 0,
        input_hash=found["input_hash"],
        completed_at=str(completed) if completed is not None else None,
        foreign_ends=tuple(found["foreign_ends"] or ()),
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
