"""Verdicts that people set by hand in the graph, taken over into table verdicts."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from neo4j.time import DateTime

from kg_pipeline.concepts import concept_text
from kg_pipeline.graph.connection import Connection, Transaction
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
_PASSAGE = f"i.id AS image_id, d.id AS document_id, c.text AS text, {_SAID}"
_CONCEPT = (
    "i.id AS image_id, c.id AS document_id, c.name AS name, c.aliases AS aliases, c.description AS description, "
    + _SAID
)

# What is read later outdoes what is read earlier: a passage its document.
ON_DOCUMENTS = f"""
MATCH (d:Document)-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE {_BY_HAND}
MATCH (c:Chunk {{id: e.best_chunk}})
RETURN {_PASSAGE}
"""
ON_REJECTED_PASSAGES = f"""
MATCH (c:Chunk)-[e:REJECTED_EVIDENCE]->(i:Image) WHERE {_REJECTION_BY_HAND}
MATCH (c)-[:FROM_DOCUMENT]->(d:Document)
RETURN {_PASSAGE}
"""
ON_PASSAGES = f"""
MATCH (c:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE {_BY_HAND}
MATCH (c)-[:FROM_DOCUMENT]->(d:Document)
RETURN {_PASSAGE}
"""
ON_REJECTED_CONCEPTS = f"""
MATCH (c:Concept)-[e:REJECTED_EVIDENCE]->(i:Image) WHERE {_REJECTION_BY_HAND}
RETURN {_CONCEPT}
"""
ON_CONCEPTS = f"""
MATCH (i:Image)-[e:ILLUSTRATES]->(c:Concept) WHERE {_BY_HAND}
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
    found = harvest(connection, collection)
    rows = store.update("verdicts", collection, lambda known: merged(known, found.rows))
    _reset(connection, found.marks)
    return rows


def harvest(connection: Connection, collection: str) -> Harvest:
    """Verdicts set by hand: `verdict` (accepted, rejected, withdrawn), optionally `verdict_by` and `verdict_at`.

    On an edge of evidence, or on a REJECTED_EVIDENCE that shall be one no more. One on a document's edge holds for its
    best passage. Not read: edges to foreign concepts, whose text the graph does not have. Raises GraphError.
    """
    now = datetime.now(UTC)
    rows, marks, unknown = [], [], set()
    for kind, text, found in _found(connection, collection):
        word = (found["verdict"] or WITHDRAWN).strip().lower()
        if word not in WORDS:
            unknown.add(word)
            continue
        marks.append(Mark(found["type"], found["element"], found["verdict"] or ""))
        rows.append(
            {
                "image_id": found["image_id"],
                "text_kind": kind,
                "document_id": found["document_id"],
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


def _found(connection: Connection, collection: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Text kind, text and record of every verdict set by hand."""
    for statement in (ON_DOCUMENTS, ON_REJECTED_PASSAGES, ON_PASSAGES):
        for found in connection.read(statement, collection=collection):
            yield "chunk", found["text"], found
    for statement in (ON_REJECTED_CONCEPTS, ON_CONCEPTS):
        for found in connection.read(statement, collection=collection):
            yield "concept", concept_text(found["name"], found["aliases"], found["description"]), found


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
