"""Verdicts that people set by hand in the graph, as rows of table verdicts."""

import logging
from datetime import UTC, datetime
from typing import Any

import polars as pl

from kg_pipeline.concepts import concept_text
from kg_pipeline.graph.connection import Connection
from kg_pipeline.ids import sha256_text
from kg_pipeline.tables import TABLES

VERDICTS = ("accepted", "rejected")
BY_DEFAULT = "graph"
KEY = ["image_id", "text_kind", "document_id", "text_sha256"]

# A verdict that we wrote stands in both properties: read again, it would outdo a later one of the table.
_BY_HAND = (
    "e.collection = $collection AND e.verdict IS NOT NULL AND toString(e.verdict) <> coalesce(e.verdict_synced, '') "
)
_VERDICT = "toString(e.verdict) AS verdict, toString(e.verdict_by) AS by"

ON_PASSAGES = f"""
MATCH (c:Chunk)-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE {_BY_HAND}
MATCH (c)-[:FROM_DOCUMENT]->(d:Document)
RETURN i.id AS image_id, d.id AS document_id, c.text AS text, {_VERDICT}
"""

ON_DOCUMENTS = f"""
MATCH (d:Document)-[e:HAS_VISUAL_EVIDENCE]->(i:Image) WHERE {_BY_HAND}
MATCH (c:Chunk {{id: e.best_chunk}})
RETURN i.id AS image_id, d.id AS document_id, c.text AS text, {_VERDICT}
"""

ON_CONCEPTS = f"""
MATCH (i:Image)-[e:ILLUSTRATES]->(c:Concept) WHERE {_BY_HAND}
RETURN i.id AS image_id, c.id AS document_id, c.name AS name, c.aliases AS aliases, c.description AS description,
       {_VERDICT}
"""

_log = logging.getLogger(__name__)


def harvest_verdicts(connection: Connection, collection: str, known: pl.DataFrame) -> pl.DataFrame:
    """Table verdicts with those set in the graph since; where both judge the same pair, the graph wins."""
    table = TABLES["verdicts"]
    found = harvest(connection, collection).join(known, on=[*KEY, "verdict"], how="anti")
    return table.conform(pl.concat([known.join(found, on=KEY, how="anti"), found]))


def harvest(connection: Connection, collection: str) -> pl.DataFrame:
    """Rows of table verdicts: property `verdict` (accepted, rejected; optionally `verdict_by`) set on an edge by hand.

    One on a document's edge holds for its best passage. A passage outdoes it. Not read: edges to foreign concepts,
    whose text the graph does not have. Raises GraphError.
    """
    # Documents first, so that a verdict on the passage itself is the one that stays.
    rows = [_row("chunk", found, found["text"]) for found in connection.read(ON_DOCUMENTS, collection=collection)]
    rows += [_row("chunk", found, found["text"]) for found in connection.read(ON_PASSAGES, collection=collection)]
    for found in connection.read(ON_CONCEPTS, collection=collection):
        rows.append(_row("concept", found, concept_text(found["name"], found["aliases"], found["description"])))
    valid = [row for row in rows if row["verdict"] in VERDICTS]
    if len(valid) < len(rows):
        other = sorted({str(row["verdict"]) for row in rows} - set(VERDICTS))
        _log.warning("verdicts in the graph that are neither accepted nor rejected are left out: %s", ", ".join(other))
    return TABLES["verdicts"].rows(valid).unique(KEY, keep="last", maintain_order=True)


def _row(kind: str, found: dict[str, Any], text: str) -> dict[str, object]:
    return {
        "image_id": found["image_id"],
        "text_kind": kind,
        "document_id": found["document_id"],
        "text_sha256": sha256_text(text),
        "verdict": found["verdict"].strip().lower(),
        "by": found["by"] or BY_DEFAULT,
        "at": datetime.now(UTC),
    }
