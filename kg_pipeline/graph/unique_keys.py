"""Uniqueness of our keys on the server: where it holds, what is in the way of it, seeing to it."""

from collections.abc import Iterable

from kg_pipeline.graph.connection import Connection, Transaction
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.model import NODES, constraints

UNIQUE = "SHOW CONSTRAINTS YIELD labelsOrTypes, properties, type"
# 5.x says UNIQUENESS, later versions NODE_PROPERTY_UNIQUENESS; a node key (Enterprise) is unique too.
KINDS = ("UNIQUENESS", "NODE_KEY")
INDEXES = "SHOW INDEXES YIELD name, type, labelsOrTypes, properties, owningConstraint"

DOUBLED = "MATCH (n:`{label}`) WHERE n.id IS NOT NULL WITH n.id AS id, count(*) AS nodes WHERE nodes > 1 RETURN id"


def unique_labels(connection: Connection) -> list[str]:
    """Labels on which `id` is unique, whatever the constraint is called and whoever made it. Raises GraphError."""
    return [
        row["labelsOrTypes"][0]
        for row in connection.read(UNIQUE)
        if row["properties"] == ["id"] and any(kind in row["type"] for kind in KINDS)
    ]


def our_labels(connection: Connection) -> list[str]:
    """What our labels are called in the database."""
    return [connection.names[label] for label in NODES]


def indexes_in_the_way(connection: Connection) -> list[tuple[str, str]]:
    """Name and label of plain indexes on a key of ours: beside one, the server refuses a constraint."""
    if connection.identity == "embedded":
        return []
    return [
        (index["name"], index["labelsOrTypes"][0])
        for index in connection.read(INDEXES)
        if index["properties"] == ["id"]
        and set(index["labelsOrTypes"] or ()) & set(our_labels(connection))
        and index["type"] == "RANGE"
        and index["owningConstraint"] is None
    ]


def ensure_unique_keys(connection: Connection) -> None:
    """Create the constraints that are missing: all of them or, when one cannot be, none. Raises GraphError."""
    present = unique_labels(connection)
    missing = [label for label in our_labels(connection) if label not in present]
    if not missing:
        return
    if found := [(name, label) for name, label in indexes_in_the_way(connection) if label in missing]:
        drops = "; ".join(f"DROP INDEX `{name}`" for name, _ in found)
        labels = ", ".join(f"{label}.id" for _, label in found)
        raise GraphError(
            f"{connection.address} has a plain index on {labels}, which is in the way of a uniqueness constraint, so "
            f"nothing was written: {drops} (the constraint brings its own)"
        )
    try:
        connection.write(lambda transaction: create(transaction, missing))
    except GraphError as error:
        if doubled := [label for label in missing if connection.ask(f"{DOUBLED.format(label=label)} LIMIT 1")]:
            raise GraphError(
                f"{connection.address} has several nodes {' and '.join(f'(:{label})' for label in doubled)} with the "
                f"same `id`, so nothing was written. Find them with {DOUBLED.format(label=doubled[0])}; give them ids "
                "of their own, let our label have another name (KG_PIPELINE_GRAPH_NAMES), or use a database of its "
                "own (NEO4J_DATABASE)"
            ) from error
        raise


def create(transaction: Transaction, labels: Iterable[str]) -> None:
    """Create the constraints on these labels."""
    for statement in constraints(labels):
        transaction.run(statement).consume()
