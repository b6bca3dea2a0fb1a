"""Search indexes on the server: which are there, which are missing, what is in the way; creating the missing ones."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_pipeline.graph.connection import Connection
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.model import ANALYZER, SEARCH_INDEXES, SIMILARITY, SearchIndex, search_index

# Servers without the procedure (ArcadeDB) have no DDL for such an index either.
QUERIED_BY: Mapping[str, str] = {"FULLTEXT": "db.index.fulltext.queryNodes", "VECTOR": "db.index.vector.queryNodes"}

PROCEDURES = "SHOW PROCEDURES YIELD name WHERE name IN $names RETURN name"
INDEXES = """
SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, options, state
RETURN name, type, entityType, labelsOrTypes, properties, options.indexConfig AS settings, state
"""

POPULATION_SECONDS = 300.0
"""How long a run waits for an index it has created: a query against one that is still populating fails."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class IndexFinding:
    """How it stands with one search index of the model."""

    index: SearchIndex
    state: str
    """online, populating, missing, unsupported (this server has no such index), in the way (something else is), or
    refused (the server did not create it)."""
    advice: str = ""


def find_search_indexes(connection: Connection, dimensions: int | None) -> list[IndexFinding]:
    """How it stands with each search index; nothing is changed. `dimensions` None: a vector index is not asked for.

    Raises GraphError.
    """
    known = {row["name"] for row in connection.read(PROCEDURES, names=list(QUERIED_BY.values()))}
    present = connection.read(INDEXES)
    findings = []
    for index in SEARCH_INDEXES:
        if QUERIED_BY[index.kind] not in known:
            findings.append(IndexFinding(index, "unsupported"))
        elif finding := _found(index, connection.names[index.label], present, dimensions):
            findings.append(finding)
        elif index.kind == "FULLTEXT" or dimensions is not None:
            findings.append(IndexFinding(index, "missing", connection.names.cypher(search_index(index, dimensions))))
    return findings


def create_search_indexes(connection: Connection, dimensions: int | None = None) -> list[IndexFinding]:
    """Create what is missing, where the server can, and wait until it can be queried; returns how it stands then.

    Without an index no row of the graph is wrong: what is in the way stays, and a refusal is a finding, no error.
    Raises GraphError when the server cannot be asked.
    """
    refusals = {
        finding.index.name: error
        for finding in find_search_indexes(connection, dimensions)
        if finding.state == "missing" and (error := _refusal(connection, finding.advice))
    }
    deadline = time.monotonic() + POPULATION_SECONDS
    while True:
        found = find_search_indexes(connection, dimensions)
        if all(finding.state != "populating" for finding in found) or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return [
        IndexFinding(finding.index, "refused", refusals[finding.index.name])
        if finding.state == "missing" and finding.index.name in refusals
        else finding
        for finding in found
    ]


def _refusal(connection: Connection, statement: str) -> str | None:
    try:
        connection.run(statement)
    except GraphError as error:
        # Also when another run was faster: IF NOT EXISTS does not hold back two at once. What is there counts.
        return str(error)
    return None


def _found(
    index: SearchIndex, label: str, present: Sequence[Mapping[str, Any]], dimensions: int | None
) -> IndexFinding | None:
    """What stands in the place of `index`: itself, one of its name, or one of its kind on its properties."""
    for row in present:
        same = _covers(row, index, label)
        if row["name"] == index.name:
            differences = list(_differences(row, index, dimensions)) if same else [_described(row)]
            if differences:
                advice = f"DROP INDEX `{row['name']}`; the next run creates it anew"
                return IndexFinding(index, "in the way", f"it is {', '.join(differences)}: {advice}")
            if row["state"] == "FAILED":
                return IndexFinding(index, "in the way", f"it failed to populate: DROP INDEX `{row['name']}`")
            return IndexFinding(index, str(row["state"]).lower())
    for row in present:
        if _covers(row, index, label):
            advice = f"index {row['name']} is in its place: use that one, or DROP INDEX `{row['name']}`"
            return IndexFinding(index, "in the way", advice)
    return None


def _covers(row: Mapping[str, Any], index: SearchIndex, label: str) -> bool:
    place = (row["type"], row["entityType"], row["labelsOrTypes"], row["properties"])
    return place == (index.kind, "NODE", [index.label], list(index.properties))


def _differences(row: Mapping[str, Any], index: SearchIndex, dimensions: int | None) -> Iterator[str]:
    settings = row["settings"]
    if index.kind == "FULLTEXT":
        if settings.get("fulltext.analyzer") != ANALYZER:
            yield f"made with the analyzer {settings.get('fulltext.analyzer')} instead of {ANALYZER}"
        return
    if str(settings.get("vector.similarity_function")).lower() != SIMILARITY:
        yield f"made for {settings.get('vector.similarity_function')} instead of {SIMILARITY}"
    if dimensions is not None and settings.get("vector.dimensions") != dimensions:
        yield f"made for {settings.get('vector.dimensions')} dimensions instead of {dimensions}"


def _described(row: Mapping[str, Any]) -> str:
    return f"a {row['type']} index on {'|'.join(row['labelsOrTypes'] or ())} ({', '.join(row['properties'] or ())})"
