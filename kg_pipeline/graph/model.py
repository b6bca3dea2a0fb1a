"""The model of the graph as data: a declaration per label, relationship type and search index, and their DDL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph_nodes import PLAIN_NAME

TEXT, INT, FLOAT = pl.String(), pl.Int64(), pl.Float64()
TEXTS = pl.List(pl.String())
VECTOR = pl.List(pl.Float32())
# Milliseconds: what every Bolt server keeps (ArcadeDB cuts microseconds off).
TIME = pl.Datetime("ms", "UTC")

MARKER = "kg-pipeline"
"""`managed_by` of the nodes that collections share: a foreign node with the same label is never taken for ours."""

MODEL_VERSION = 1
"""Of all that is declared here; stands on the Collection node. Raise it with each change of labels, types, properties
or of what they mean: the next sync of a collection of an older version reads it back and writes every row anew."""

UNVERSIONED = 1
"""Version of collections from before it stood on their node."""

Properties = Mapping[str, pl.DataType]


def checked_name(name: str) -> str:
    """`name`, when it may stand in Cypher text (labels, types and property names cannot be parameters)."""
    if not PLAIN_NAME.fullmatch(name):
        raise GraphError(
            f"{name!r} cannot be a label, relationship type or property name here: "
            "use at most 64 letters, digits and '_', not beginning with a digit"
        )
    return name


@dataclass(frozen=True)
class NodeType:
    """One label of ours. `id` is the key; every property is compared but those in `stamped`."""

    label: str
    doc: str
    properties: Properties
    extra_labels: tuple[str, ...] = ()
    shared: bool = False
    """Whether collections share the nodes: then IN_COLLECTION holds them, and they carry `managed_by` only."""
    stamped: tuple[str, ...] = ()
    """Properties set to the time of the run whenever the node is written."""
    synced: bool = True
    """Whether plans contain it; the Collection node is the ledger of the sync and written by it alone."""

    @property
    def schema(self) -> pl.Schema:
        """Columns of a frame of such nodes."""
        return pl.Schema({"id": TEXT, **self.properties})

    @property
    def pattern(self) -> str:
        """All labels, as in `(n:Concept:__Entity__)`: one added later under a constraint is refused by ArcadeDB."""
        return ":".join((self.label, *self.extra_labels))


@dataclass(frozen=True)
class RelationshipType:
    """One relationship type of ours. Its key: both ends, the collection and the properties in `key`."""

    type: str
    doc: str
    start: tuple[str, ...]
    end: tuple[str, ...]
    properties: Properties
    key: tuple[str, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """Columns of a frame of such relationships."""
        return pl.Schema({**dict.fromkeys(ENDS, TEXT), **self.properties})

    @property
    def key_columns(self) -> list[str]:
        """Columns that tell one relationship from another."""
        return [*ENDS, *self.key]


ENDS = ("start_label", "start_key", "start", "end_label", "end_key", "end")
"""Columns of every relationship frame: label, name of the key property and key of both ends."""

EVIDENCE: Properties = {
    "log_odds": FLOAT,
    "score": FLOAT,
    "confidence": FLOAT,
    "confidence_source": TEXT,
    "rank": INT,
    "margin": FLOAT,
    "scorer": TEXT,
    "strategies": TEXTS,
    "reason": TEXT,
    "verdict": TEXT,
    # What we wrote into `verdict`; where the two differ, a person has set it (verdicts.harvest).
    "verdict_synced": TEXT,
}

NODES: Mapping[str, NodeType] = {
    node.label: node
    for node in (
        NodeType(
            "Document",
            "a document of the collection",
            {"title": TEXT, "uri": TEXT, "path": TEXT, "format": TEXT, "language": TEXT, "sha256": TEXT},
        ),
        NodeType(
            "Chunk",
            "a passage",
            {
                "text": TEXT,
                "index": INT,
                "heading": TEXT,
                "line_start": INT,
                "line_end": INT,
                "page": INT,
                # Null, so not there, when the collection has no section `embeddings`.
                "embedding": VECTOR,
            },
        ),
        NodeType(
            "Image",
            "a picture; id = sha256 of its bytes, text = what can be read in it",
            {"format": TEXT, "width": INT, "height": INT, "text": TEXT},
            shared=True,
        ),
        NodeType(
            "Concept",
            "a thing that has a name",
            {"name": TEXT, "aliases": TEXTS, "description": TEXT},
            extra_labels=("__Entity__",),
            shared=True,
        ),
        NodeType(
            "OrphanReport",
            "the images that nothing uses; counts = JSON, files per reason; and how many verdicts hold",
            {"counts": TEXT, "verdicts_accepted": INT, "verdicts_rejected": INT, "verdicts_not_applicable": INT},
            stamped=("generated_at",),
        ),
        NodeType(
            "Collection",
            "a body of knowledge; model = version of this page that it was written with",
            {"generation": INT, "input_hash": TEXT, "model": INT},
            synced=False,
        ),
    )
}

RELATIONSHIPS: Mapping[str, RelationshipType] = {
    relationship.type: relationship
    for relationship in (
        RelationshipType("FROM_DOCUMENT", "a passage stands in a document", ("Chunk",), ("Document",), {}),
        RelationshipType("NEXT_CHUNK", "the passage that follows", ("Chunk",), ("Chunk",), {}),
        RelationshipType("FROM_CHUNK", "a concept is mentioned in a passage", ("Concept",), ("Chunk",), {}),
        RelationshipType(
            "IN_COLLECTION",
            "an image or concept belongs to a collection",
            ("Image", "Concept"),
            ("Collection",),
            {"paths": TEXTS, "uri": TEXT, "orphan_reason": TEXT},
        ),
        RelationshipType(
            "REFERENCES",
            "the document itself shows the image here",
            ("Chunk",),
            ("Image",),
            {"line": INT, "target": TEXT, "alt": TEXT, "caption": TEXT},
            key=("line", "target"),
        ),
        RelationshipType(
            "HAS_VISUAL_EVIDENCE",
            "the image was found to show the passage or document",
            ("Chunk", "Document"),
            ("Image",),
            {**EVIDENCE, "best_chunk": TEXT},
        ),
        RelationshipType("ILLUSTRATES", "the image was found to show the concept", ("Image",), ("Concept",), EVIDENCE),
        RelationshipType(
            "REJECTED_EVIDENCE",
            "a person said that the image does not show it",
            ("Chunk", "Concept"),
            ("Image",),
            {"by": TEXT, "at": TIME},
        ),
        RelationshipType(
            "LISTS",
            "the report lists the image; suggestion = id of the passage that most wants it",
            ("OrphanReport",),
            ("Image",),
            {"reason": TEXT, "suggestion": TEXT},
        ),
    )
}

FOREIGN_PLACES = ("Document", "Concept")
"""Where a node that somebody else keeps may stand in place of ours."""


def is_foreign(label: str, key: str) -> bool:
    """Whether nodes named by this label and key property are somebody else's: ours have the key `id`."""
    return label not in NODES or key != "id"


SYNCED_NODES = {label: node for label, node in NODES.items() if node.synced}


@dataclass(frozen=True)
class SearchIndex:
    """An index to find nodes by words or by meaning; only servers that can search have it."""

    name: str
    kind: Literal["FULLTEXT", "VECTOR"]
    label: str
    properties: tuple[str, ...]
    doc: str


# One per label that people search: a full-text query over several labels ranks short names against long passages.
SEARCH_INDEXES = (
    SearchIndex("kg_pipeline_chunk_text", "FULLTEXT", "Chunk", ("text", "heading"), "passages by their words"),
    SearchIndex("kg_pipeline_document_title", "FULLTEXT", "Document", ("title", "path"), "documents by title and file"),
    SearchIndex("kg_pipeline_image_text", "FULLTEXT", "Image", ("text",), "pictures by what can be read in them"),
    SearchIndex(
        "kg_pipeline_concept_name", "FULLTEXT", "Concept", ("name", "aliases", "description"), "concepts by any name"
    ),
    SearchIndex("kg_pipeline_chunk_embedding", "VECTOR", "Chunk", ("embedding",), "passages by their meaning"),
)

# Cuts Chinese, Japanese and Korean into pairs of characters, and everything else at word boundaries, in lower case.
ANALYZER = "cjk"
SIMILARITY = "cosine"


def constraints(labels: Iterable[str] = NODES) -> list[str]:
    """DDL of the model: uniqueness of `id` only, which Community has (node keys and existence are Enterprise).

    `labels`: what ours are called in the database.
    """
    return [
        f"CREATE CONSTRAINT kg_pipeline_{label.lower()}_id IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE"
        for label in labels
    ]


def search_index(index: SearchIndex, dimensions: int | None = None) -> str:
    """DDL of a search index; a vector index needs the number of `dimensions`."""
    head = f"CREATE {index.kind} INDEX {index.name} IF NOT EXISTS FOR (n:{index.label}) ON"
    if index.kind == "FULLTEXT":
        properties = ", ".join(f"n.{name}" for name in index.properties)
        return f"{head} EACH [{properties}] OPTIONS {{indexConfig: {{`fulltext.analyzer`: '{ANALYZER}'}}}}"
    [name] = index.properties
    settings = f"`vector.dimensions`: {dimensions}, `vector.similarity_function`: '{SIMILARITY}'"
    return f"{head} n.{name} OPTIONS {{indexConfig: {{{settings}}}}}"
