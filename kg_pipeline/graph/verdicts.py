"""Verdicts that people set by hand in the graph, taken over into table verdicts."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from neo4j.time import DateTime

from kg_pipeline.concepts import concept_text
from kg_pipeline.graph import statements
from kg_pipeline.graph.connection import Connection, Transaction
from kg_pipeline.graph.model import MARKER, checked_name
from kg_pipeline.ids import sha256_text
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import ACCEPTED, REJECTED, WITHDRAWN, merged

WORDS = (ACCEPTED, REJECTED, WITHDRAWN)
BY_DEFAULT = "graph"
KEY = list(TABLES["verdicts"].key)

# A verdict that we wrote stands in both properties: read again, it would outdo a later one of the table. One that was
# ours and is removed by hand differs too. A relationship of ours that is gone says nothing: a restored backup or a
# DETACH DELETE looks the same.
_BY_HAND = "e.collection = $collection AND coalesce(toString(e.verdict), '') <> coalesce(e.verdict_synced, '')"
_REJECTION_BY_HAND = "e.collection = $collection AND e.verdict IS NOT NULL"
_SAID = (
    "toString(e.verdict) AS verdict, toString(e.verdict_by) AS by, e.verdict_at AS at, "
    "type(e) AS type, elementId(e) AS element"
)
# {label}, {key} and {ours_or_theirs} are those of the document or concept: one of ours, or a foreign node.
_PASSAGE = "i.id AS image_id, toString(d.{key}) AS key, c.text AS text, " + _SAID
_CONCEPT = (
    "i.id AS image_id, toString(c.{key}) AS key, c.name AS name, c.aliases AS aliases, c.description AS description, "
    + _SAID
)

# What is read later outdoes what is read earlier: a passage its document.
ON_DOCUMENTS = f"""
MATCH (d:{{label}})-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE {_BY_HAND}{{ours_or_theirs}}
MATCH (c:Chunk {{{{id: e.best_chunk}}}})
RETURN {_PASSAGE}
"""
ON_REJECTED_PASSAGES = f"""
MATCH (c:Chunk)-[e:REJECTED_EVIDENCE]->(i:Image) WHERE {_REJECTION_BY_HAND}
MATCH (c)-[:FROM_DOCUMENT]->(d:{{label}}) WHERE true{{ours_or_theirs}}
RETURN {_PASSAGE}
"""
ON_PASSAGES = f"""
MATCH (c:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE {_BY_HAND}
MATCH (c)-[:FROM_DOCUMENT]->(d:{{label}}) WHERE true{{ours_or_theirs}}
RETURN {_PASSAGE}
"""
ON_REJECTED_CONCEPTS = f"""
MATCH (c:{{label}})-[e:REJECTED_EVIDENCE]->(i:Image) WHERE {_REJECTION_BY_HAND}{{ours_or_theirs}}
RETURN {_CONCEPT}
"""
ON_CONCEPTS = f"""
MATCH (i:Image)-[e:ILLUSTRATES]->(c:{{label}}) WHERE {_BY_HAND}{{ours_or_theirs}}
RETURN {_CONCEPT}
"""
# Back to what the last sync wrote: a verdict is taken over once, and the graph stays as the note of that sync says.
RESET = """
UNWIND $rows AS r
MATCH ()-[e:`{type}`]->() WHERE elementId(e) = r.element AND coalesce(toString(e.verdict), '') = r.verdict
SET e.verdict = e.verdict_synced
REMOVE e.verdict_by, e.verdict_at
"""
RESET_ROWS = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """A property that stands on a relationship: its type, its element id, the word as it was written."""

    type: str
    element: str
    verdict: str


@dataclass(frozen=True)
class Harvest:
    """Rows like those of table verdicts, whose `verdict` may be `withdrawn`, and where they were found."""

    rows: pl.DataFrame
    marks: tuple[Mark, ...]


def take_over_verdicts(connection: Connection, collection: str, store: TableStore) -> pl.DataFrame:
    """Table verdicts with those set in the graph since the last run; the properties are set back. Raises GraphError.

    Of two verdicts on the same pair the newer counts. One in the graph counts as given when it is found, unless its
    property `verdict_at` says when.
    """
    tables = {name: store.read(name, collection) for name in ("documents", "concepts")}
    found = harvest(connection, collection, tables)
    rows = store.update("verdicts", collection, lambda known: merged(known, found.rows))
    _reset(connection, found.marks)
    return rows


def harvest(connection: Connection, collection: str, tables: Mapping[str, pl.DataFrame] | None = None) -> Harvest:
    """Verdicts set by hand: `verdict` (accepted, rejected, withdrawn), optionally `verdict_by` and `verdict_at`.

    On an edge of evidence, or on a REJECTED_EVIDENCE that shall be one no more. One on a document's edge holds for its
    best passage. `tables` (documents, concepts) tell the foreign nodes: their id, and the text that was judged, which
    the graph does not have. Raises GraphError.
    """
    now = datetime.now(UTC)
    rows, marks, unknown = [], [], set()
    for kind, text, found in _found(connection, collection, tables or {}):
        word = (found["verdict"] or WITHDRAWN).strip().lower()
        if word not in WORDS:
            unknown.add(word)
            continue
        marks.append(Mark(found["type"], found["element"], found["verdict"] or ""))
        rows.append(
            {
                "image_id": found["image_id"],
                "text_kind": kind,
                "document_id": found["id"],
                "text_sha256": sha256_text(text),
                "verdict": word,
                "by": found["by"] or BY_DEFAULT,
                "at": _time(found["at"], now),
            }
        )
    if unknown:
        _log.warning(
            "verdicts in the graph that are none of %s are left out: %s", ", ".join(WORDS), ", ".join(sorted(unknown))
        )
    frame = TABLES["verdicts"].rows(rows).unique(KEY, keep="last", maintain_order=True)
    return Harvest(frame, tuple(marks))


@dataclass(frozen=True)
class _Nodes:
    """Documents or concepts of one label and key property; `rows` by key value, None where the nodes are ours."""

    label: str
    key: str
    rows: Mapping[str, dict[str, Any]] | None = None


def _found(
    connection: Connection, collection: str, tables: Mapping[str, pl.DataFrame]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Text kind, text and record, with the `id` of document or concept, of every verdict set by hand."""
    for statement in (ON_DOCUMENTS, ON_REJECTED_PASSAGES, ON_PASSAGES):
        for nodes in (_Nodes("Document", "id"), *_foreign(tables.get("documents"))):
            for found, row in _read(connection, collection, statement, "d", nodes):
                yield "chunk", found["text"], found | {"id": row["document_id"] if row else found["key"]}
    for statement in (ON_REJECTED_CONCEPTS, ON_CONCEPTS):
        for nodes in (_Nodes("Concept", "id"), *_foreign(tables.get("concepts"))):
            for found, row in _read(connection, collection, statement, "c", nodes):
                judged = row or found
                text = concept_text(judged["name"], judged["aliases"], judged["description"])
                yield "concept", text, found | {"id": row["concept_id"] if row else found["key"]}


def _foreign(table: pl.DataFrame | None) -> Iterator[_Nodes]:
    if table is None:
        return
    usable = pl.col("status").fill_null("ok").is_in(["ok", "stale"])
    rows = table.filter(usable, ~pl.col("owned").fill_null(True)).drop_nulls("key_value").sort(table.columns[0])
    for label, key in rows.select("node_label", "key_property").unique().sort(pl.all()).rows():
        those = rows.filter(node_label=label, key_property=key)
        yield _Nodes(label, key, {row["key_value"]: row for row in those.iter_rows(named=True)})


def _read(
    connection: Connection, collection: str, statement: str, variable: str, nodes: _Nodes
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Records on these nodes, with the row of the table for a foreign one; one that no source names says nothing."""
    label, key = checked_name(nodes.label), checked_name(nodes.key)
    kind = statements.is_kind(variable, label, key)
    text = statement.format(label=statements.written(label, key), key=key, ours_or_theirs=kind)
    for found in connection.read(text, collection=collection, marker=MARKER):
        if nodes.rows is None:
            yield found, None
        elif found["key"] in nodes.rows:
            yield found, nodes.rows[found["key"]]


def _time(value: Any, now: datetime) -> datetime:
    """`verdict_at` where it is a time, and not one to come: that would outdo every later verdict."""
    if not isinstance(value, DateTime):
        return now
    given = value.to_native()
    # ArcadeDB keeps no zone: what it hands out is UTC.
    return min(given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC), now)


def _reset(connection: Connection, marks: tuple[Mark, ...]) -> None:
    for type_ in sorted({mark.type for mark in marks}):
        rows = [{"element": mark.element, "verdict": mark.verdict} for mark in marks if mark.type == type_]
        for start in range(0, len(rows), RESET_ROWS):
            batch = rows[start : start + RESET_ROWS]

            def work(transaction: Transaction, text: str = RESET.format(type=type_), rows: Any = batch) -> None:
                transaction.run(text, rows=rows).consume()

            connection.write(work)
