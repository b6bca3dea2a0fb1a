"""Documents that are nodes which somebody else keeps in the graph: rows for what was read of them."""

import hashlib
from collections.abc import Iterator

import polars as pl

from kg_pipeline import ids
from kg_pipeline.config import GraphDocuments
from kg_pipeline.documents.formats import HTML, MARKDOWN, RST, TEXT
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.documents.rows import Row
from kg_pipeline.graph_nodes import NodesRead

GRAPH = "graph"
"""`format` of a node, and of the row that stands for a source as a whole."""
PARSERS = {form.name: form.parse for form in (MARKDOWN, TEXT, HTML, RST)}


def source_row(collection: str, source: GraphDocuments, status: str, error: str) -> Row:
    """The row of a source of which something could not be read; it has no key."""
    return _row(collection, source, source.prefix) | {"title": source.prefix, "status": status, "error": error}


def node_row(collection: str, source: GraphDocuments, key: str) -> Row:
    """What is known of a document before its text is looked at."""
    return _row(collection, source, f"{source.prefix}/{key}") | {"title": key, "key_value": key}


def lost_nodes(collection: str, source: GraphDocuments, read: NodesRead) -> Iterator[Row]:
    """Rows for nodes that cannot be documents: without a key, or sharing theirs."""
    if read.without_key:
        what = f"{read.without_key} nodes of {source.graph.what} have no key that is text or a whole number"
        yield source_row(collection, source, "skipped", what)
    for key, problem in read.rows.filter(pl.col("problem").is_not_null()).select("key", "problem").iter_rows():
        yield node_row(collection, source, key) | {"status": "skipped", "error": problem}


def text_facts(text: str) -> Row:
    """Hash and size of the text of a node."""
    data = text.encode("utf-8", "surrogatepass")
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def parse_node(source: GraphDocuments, title: str, text: str) -> ParsedDocument:
    """The text of a node, or its title where it has none. Raises what parsers raise."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return PARSERS[source.graph.format](lines) if lines.strip() else ParsedDocument(prose=tuple(title.splitlines()))


def is_of(source: GraphDocuments, row: Row) -> bool:
    """Whether a row of an earlier run is a document of this source."""
    node = (row["node_label"], row["key_property"])
    return node == (source.graph.label, source.graph.key) and str(row["path"]) == f"{source.prefix}/{row['key_value']}"


def _row(collection: str, source: GraphDocuments, path: str) -> Row:
    return {
        "document_id": ids.document_id(collection, path),
        "path": path,
        "format": GRAPH,
        "language": "und",
        "node_label": source.graph.label,
        "key_property": source.graph.key,
        "owned": False,
    }
