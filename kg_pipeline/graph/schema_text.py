"""The model in words, for tools that let a language model write Cypher."""

from collections.abc import Iterator, Mapping

import polars as pl

from kg_pipeline.graph.model import EVIDENCE, NODES, RELATIONSHIPS, SEARCH_INDEXES, TIME, NodeType
from kg_pipeline.graph.names import AS_IN_THE_MODEL, Names

Types = Mapping[str, str]

WORDS: Mapping[type[pl.DataType], str] = {
    pl.String: "STRING",
    pl.Int64: "INTEGER",
    pl.Float64: "FLOAT",
    pl.List: "LIST",
    type(TIME): "DATE_TIME",
}
"""What neo4j-graphrag (APOC) calls the types."""

# Notes of the sync to itself, and a thousand numbers nobody wants in an answer.
UNTOLD = {"input_hash", "verdict_synced", "embedding"}

HINTS = (
    "confidence is between 0 and 1, score between 0 and 10; order pictures by confidence, highest first.",
    "The address of a picture is the property uri of (:Image)-[:IN_COLLECTION]->(:Collection); its files are in paths.",
    "An image that nothing references has the property orphan_reason on its -[:IN_COLLECTION]->.",
)


def schema_text(names: Names = AS_IN_THE_MODEL) -> str:
    """The model as `neo4j_schema` of neo4j-graphrag's Text2CypherRetriever: as its `get_schema` prints, and notes."""
    return "\n".join(
        [
            "Node properties:",
            *(_properties(names[node.label], _of_node(node)) for node in NODES.values()),
            "Relationship properties:",
            *(_properties(names[name], _of_relationship(name)) for name in RELATIONSHIPS),
            "The relationships:",
            *map(names.cypher, _patterns()),
            "What they mean:",
            *(f"{names[node.label]}: {node.doc}" for node in NODES.values()),
            *(f"{names[name]}: {kind.doc}" for name, kind in RELATIONSHIPS.items()),
            *map(names.cypher, HINTS),
            *_searches(),
        ]
    )


def _of_node(node: NodeType) -> Types:
    times = dict.fromkeys(("first_seen", *node.stamped), "DATE_TIME")
    if not node.synced:
        times["completed_at"] = "DATE_TIME"
    owner = {} if node.shared or not node.synced else {"collection": "STRING", "generation": "INTEGER"}
    return {**_typed(node.schema), **owner, **times}


def _of_relationship(name: str) -> Types:
    properties = RELATIONSHIPS[name].properties
    verdict = {"verdict_by": "STRING"} if EVIDENCE.keys() <= properties.keys() else {}
    owner = {"collection": "STRING", "generation": "INTEGER", "first_seen": "DATE_TIME"}
    return {**_typed(properties), **verdict, **owner}


def _typed(properties: Mapping[str, pl.DataType]) -> Types:
    return {name: WORDS[type(dtype)] for name, dtype in properties.items() if name not in UNTOLD}


def _properties(name: str, types: Types) -> str:
    return f"{name} {{{', '.join(f'{key}: {type_}' for key, type_ in types.items())}}}"


def _patterns() -> Iterator[str]:
    for name, kind in RELATIONSHIPS.items():
        yield from (f"(:{start})-[:{name}]->(:{end})" for start in kind.start for end in kind.end)


def _searches() -> Iterator[str]:
    for index in SEARCH_INDEXES:
        if index.kind == "FULLTEXT":
            yield (f"To find {index.doc}: CALL db.index.fulltext.queryNodes('{index.name}', 'words') YIELD node, score")
