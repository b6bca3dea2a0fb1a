"""Concepts that are nodes which somebody else keeps in the graph."""

from collections.abc import Iterator

import polars as pl

from kg_pipeline.config import Collection
from kg_pipeline.graph_nodes import ConceptNodes, NodesRead, ReadNodes
from kg_pipeline.ids import stable_id

GRAPH = "graph"

Row = dict[str, object]


def read_node_concepts(collection: Collection, previous: pl.DataFrame | None, read_nodes: ReadNodes) -> list[Row]:
    """Rows of table concepts for every graph source, each node once; those of a source that cannot be read are stale.

    A node that two sources name is the first one's.
    """
    rows: dict[str, Row] = {}
    for source in collection.concepts.graph:
        read = read_nodes(collection.name, source)
        found = _stale(source, read.error, previous) if read.error else _rows(source, read)
        for row in found:
            rows.setdefault(str(row["concept_id"]), row)
    return list(rows.values())


def node_concept_id(label: str, key: str, value: str) -> str:
    """Id of a concept that is a node: label, key property and key."""
    return stable_id("node", label, key, value)


def _rows(source: ConceptNodes, read: NodesRead) -> Iterator[Row]:
    if read.without_key:
        yield _source_row(
            source, "skipped", f"{read.without_key} nodes of {source.what} have no key that is text or a whole number"
        )
    for row in read.rows.iter_rows(named=True):
        key, problem = row["key"], row["problem"]
        name = " ".join((row["name"] or "").split()) or key
        yield _row(source, name) | {
            "concept_id": node_concept_id(source.label, source.key, key),
            "key_value": key,
            "aliases": list(dict.fromkeys(row["aliases"] or [])),
            "description": row["description"] or None,
            "status": "skipped" if problem else "ok",
            "error": problem,
        }


def _stale(source: ConceptNodes, error: str, previous: pl.DataFrame | None) -> Iterator[Row]:
    yield _source_row(source, "unreadable", error)
    if previous is not None:
        last = previous.filter(
            pl.col("status").is_in(["ok", "stale"]), node_label=source.label, key_property=source.key, owned=False
        )
        yield from (row | {"status": "stale", "error": error} for row in last.iter_rows(named=True))


def _source_row(source: ConceptNodes, status: str, error: str) -> Row:
    return _row(source, source.label) | {
        "concept_id": stable_id("node", source.label, source.key, source.query or ""),
        "aliases": [],
        "status": status,
        "error": error,
    }


def _row(source: ConceptNodes, name: str) -> Row:
    return {
        "name": name,
        "source": GRAPH,
        "node_label": source.label,
        "key_property": source.key,
        "owned": False,
    }
