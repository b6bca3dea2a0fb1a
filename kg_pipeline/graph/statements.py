"""The Cypher text, made from the model. Names come from the model or passed `checked_name`; values are parameters."""

from kg_pipeline.graph.frames import Ends
from kg_pipeline.graph.model import (
    FOREIGN_PLACES,
    NODES,
    RELATIONSHIPS,
    NodeType,
    Properties,
    RelationshipType,
    checked_name,
    is_foreign,
)

# A write lock on the Collection node, then its state as no other run can change it before this transaction ends.
FENCE = """
MATCH (c:Collection {id: $collection}) WHERE c.managed_by = $marker
SET c.collection = $collection
RETURN c.claimed_by AS claimed_by, c.claimed AS claimed, c.generation AS generation
"""

HEAD = """
MATCH (c:Collection {id: $collection})
RETURN c.managed_by AS managed_by, c.generation AS generation, c.claimed AS claimed, c.claimed_by AS claimed_by,
       c.input_hash AS input_hash,
       c.completed_at AS completed_at, c.foreign_ends AS foreign_ends, c.names AS names, c.model AS model
"""

# In a place of another name: `claimed` tells our Collection node from a foreign one with the same marker.
COLLECTION_UNDER = """
MATCH (c:`{label}` {{id: $collection}}) WHERE c.managed_by = $marker AND c.claimed IS NOT NULL
RETURN c.names AS names
"""

CREATE_COLLECTION = """
MERGE (c:Collection {id: $collection})
ON CREATE SET c.managed_by = $marker, c.generation = 0, c.claimed = 0, c.first_seen = $now, c.names = $names
"""

CLAIM = """
MATCH (c:Collection {id: $collection})
SET c.claimed = $generation, c.claimed_by = $token, c.foreign_ends = $foreign_ends
"""

COMPLETE = """
MATCH (c:Collection {id: $collection})
SET c.generation = $generation, c.input_hash = $input_hash, c.completed_at = $now, c.foreign_ends = $foreign_ends,
    c.model = $model
"""


def node_merge(node: NodeType, *, with_holds: bool = False) -> str:
    """Rows [id, properties…]. A node of that id that is not ours stays as it is; `written` counts those that are ours.

    A shared node is held by IN_COLLECTION from its first moment, so that a crash never leaves one that nobody holds.
    `with_holds`: the rows go on with the properties of that relationship.
    """
    values = f"{{{_values(node.properties, 1)}}}"
    if not node.shared:
        return f"""
UNWIND $rows AS r
MERGE (n:{node.pattern} {{id: r[0]}})
ON CREATE SET n.collection = $collection, n.first_seen = $now
WITH n, r WHERE n.collection = $collection
SET n += {values}, n.generation = $generation{"".join(f", n.{name} = $now" for name in node.stamped)}
RETURN count(n) AS written
"""
    hold = f"\nSET held += {{{_hold_values(node)}}}, held.generation = $generation" if with_holds else ""
    return f"""
UNWIND $rows AS r
MERGE (n:{node.pattern} {{id: r[0]}})
ON CREATE SET n.managed_by = $marker, n.first_seen = $now
FOREACH (ours IN CASE WHEN n.managed_by = $marker THEN [n] ELSE [] END | SET n += {values})
WITH n, r
MATCH (c:Collection {{id: $collection}})
MERGE (n)-[held:IN_COLLECTION {{collection: $collection}}]->(c)
ON CREATE SET held.first_seen = $now, held.generation = $generation{hold}
RETURN count(n) AS written
"""


def node_create(node: NodeType) -> str:
    """Rows as in `node_merge` (`with_holds` where nodes are shared), none of which may be there.

    The uniqueness of `id` makes it fail otherwise.
    """
    values = _values(node.properties, 1)
    if not node.shared:
        stamps = "".join(f", {name}: $now" for name in ("first_seen", *node.stamped))
        return f"""
UNWIND $rows AS r
CREATE (n:{node.pattern} {{id: r[0], collection: $collection, generation: $generation{stamps}, {values}}})
RETURN count(n) AS written
"""
    hold = "collection: $collection, generation: $generation, first_seen: $now"
    return f"""
MATCH (c:Collection {{id: $collection}})
UNWIND $rows AS r
CREATE (n:{node.pattern} {{id: r[0], managed_by: $marker, first_seen: $now, {values}}})
CREATE (n)-[:IN_COLLECTION {{{hold}, {_hold_values(node)}}}]->(c)
RETURN count(n) AS written
"""


def node_deletes(node: NodeType) -> list[str]:
    """Statements of one transaction that take rows [id] away: of a shared node our hold, the node with the last one."""
    if not node.shared:
        return [
            f"UNWIND $rows AS r MATCH (n:{node.label} {{id: r[0]}}) WHERE n.collection = $collection DETACH DELETE n"
        ]
    return [
        f"UNWIND $rows AS r MATCH (:{node.label} {{id: r[0]}})"
        "-[held:IN_COLLECTION {collection: $collection}]->(:Collection {id: $collection}) DELETE held",
        f"UNWIND $rows AS r MATCH (n:{node.label} {{id: r[0]}}) "
        "WHERE n.managed_by = $marker AND NOT EXISTS { (n)-[:IN_COLLECTION]->(:Collection) } DETACH DELETE n",
    ]


def edge_merge(edge: RelationshipType, ends: Ends) -> str:
    """Rows [start, end, properties…], ends of the kind `ends` (start label and key property, end label and key)."""
    properties = f"e += {{{_values(edge.properties, 2)}}}, " if edge.properties else ""
    return f"""
UNWIND $rows AS r
{_match_ends(ends)}
MERGE (a)-[e:{edge.type} {_edge_key(edge)}]->(b)
ON CREATE SET e.first_seen = $now
SET {properties}e.generation = $generation
RETURN count(e) AS written
"""


def edge_create(edge: RelationshipType, ends: Ends) -> str:
    """Rows as in `edge_merge`, none of which may be there: a second relationship would be made."""
    values = f", {_values(edge.properties, 2)}" if edge.properties else ""
    return f"""
UNWIND $rows AS r
{_match_ends(ends)}
CREATE (a)-[e:{edge.type} {{collection: $collection, generation: $generation, first_seen: $now{values}}}]->(b)
RETURN count(e) AS written
"""


def edge_delete(edge: RelationshipType, ends: Ends) -> str:
    """Rows as in `edge_merge`."""
    return f"""
UNWIND $rows AS r
{_match_ends(ends)}
MATCH (a)-[e:{edge.type} {_edge_key(edge)}]->(b)
DELETE e
"""


def totals() -> str:
    """Nodes of each label and relationships of each type, whosever they are: from the statistics of the database."""
    patterns = [f"(:{label})" for label in NODES] + [f"()-[:{name}]->()" for name in RELATIONSHIPS]
    return "RETURN " + ", ".join(f"COUNT {{ {pattern} }} AS n{place}" for place, pattern in enumerate(patterns))


def node_count(node: NodeType) -> str:
    """Number of nodes that the collection holds."""
    if node.shared:
        return (
            f"MATCH (n:{node.label})-[:IN_COLLECTION {{collection: $collection}}]->(:Collection {{id: $collection}}) "
            "RETURN count(DISTINCT n) AS n"
        )
    return f"MATCH (n:{node.label}) WHERE n.collection = $collection RETURN count(n) AS n"


def edge_count(edge: RelationshipType) -> str:
    """Number of relationships of the collection."""
    # An index on `collection` would answer in a third of the time. But where the planner takes a type for small it
    # would seek there what a MERGE means, too: among all relationships of the collection for every row.
    return f"MATCH ()-[e:{edge.type}]->() WHERE e.collection = $collection RETURN count(e) AS n"


def node_read(node: NodeType) -> str:
    """All nodes the collection holds, a column per property. A shared one that nobody holds counts as ours."""
    columns = ", ".join(f"n.{name} AS {name}" for name in node.schema)
    if not node.shared:
        return f"MATCH (n:{node.label}) WHERE n.collection = $collection RETURN {columns}"
    return (
        f"MATCH (n:{node.label})-[:IN_COLLECTION {{collection: $collection}}]->(:Collection {{id: $collection}}) "
        f"WITH DISTINCT n RETURN {columns}"
    )


def edge_read(edge: RelationshipType, ends: Ends) -> str:
    """All relationships of the collection between ends of that kind: start, end, a column per property, element."""
    columns = "".join(f", e.{name} AS {name}" for name in edge.properties)
    return f"{_edges_between(edge, ends)}{columns}, elementId(e) AS element"


def edge_ends(edge: RelationshipType, ends: Ends) -> str:
    """The keys of both ends, start and end, of the relationships that `edge_read` reads."""
    return _edges_between(edge, ends)


def foreign_matches(label: str, key: str) -> str:
    """Of rows {id, keys}: how many nodes that are not ours there are for each id."""
    return (
        f"UNWIND $rows AS r MATCH (n:`{checked_name(label)}`) "
        f"WHERE n.{checked_name(key)} IN r.keys{not_ours('n', label)} RETURN r.id AS id, count(n) AS n"
    )


def not_ours(variable: str, label: str) -> str:
    """` AND …` for a foreign node that has a label which nodes of ours have too; empty for other labels."""
    shared = {name for node in NODES.values() if node.shared for name in (node.label, *node.extra_labels)}
    if label in shared:
        return f" AND ({variable}.managed_by IS NULL OR {variable}.managed_by <> $marker)"
    if label in NODES:
        return f" AND ({variable}.collection IS NULL OR {variable}.generation IS NULL)"
    return ""


def stray_edges(edge: RelationshipType) -> str:
    """Relationships of the collection by their element id, to find those with ends that the model does not allow."""
    return f"MATCH ()-[e:{edge.type}]->() WHERE e.collection = $collection RETURN elementId(e) AS element"


DELETE_STRAYS = "UNWIND $rows AS r MATCH ()-[e]->() WHERE elementId(e) = r AND e.collection = $collection DELETE e"


def _edges_between(edge: RelationshipType, ends: Ends) -> str:
    start_label, start_key, end_label, end_key = map(checked_name, ends)
    sides = is_kind("a", start_label, start_key) + is_kind("b", end_label, end_key)
    return (
        f"MATCH (a:{written(*ends[:2])})-[e:{edge.type}]->(b:{written(*ends[2:])}) "
        f"WHERE e.collection = $collection{sides} "
        f"RETURN a.{start_key} AS start, b.{end_key} AS end"
    )


def written(label: str, key: str) -> str:
    """The label, in backticks where it is somebody else's: only ours have other names in some databases (Names)."""
    return f"`{label}`" if is_foreign(label, key) else label


def is_kind(variable: str, label: str, key: str) -> str:
    """` AND …` that tells a node of ours from a foreign one of the same label; needs $collection and $marker."""
    if is_foreign(label, key):
        return not_ours(variable, label)
    if label not in FOREIGN_PLACES:
        return ""
    if not NODES[label].shared:
        return f" AND {variable}.collection = $collection AND {variable}.generation IS NOT NULL"
    # A shared node that was there before us has no marker, but we hold it.
    held = f"EXISTS {{ ({variable})-[:IN_COLLECTION]->(:Collection {{id: $collection}}) }}"
    return f" AND ({variable}.managed_by = $marker OR {held})"


def _match_ends(ends: Ends) -> str:
    start_label, start_key, end_label, end_key = map(checked_name, ends)
    return "\n".join((_match("a", start_label, start_key, "r[0]"), _match("b", end_label, end_key, "r[1]")))


def _match(variable: str, label: str, key: str, value: str) -> str:
    # The key of a foreign node may be a number there and is text here: its rows carry a list of both.
    if is_foreign(label, key):
        return f"MATCH ({variable}:`{label}`) WHERE {variable}.{key} IN {value}{not_ours(variable, label)}"
    return f"MATCH ({variable}:{label} {{id: {value}}})"


def _edge_key(edge: RelationshipType) -> str:
    places = {name: place for place, name in enumerate(edge.properties, start=2)}
    return "{" + ", ".join(["collection: $collection", *(f"{name}: r[{places[name]}]" for name in edge.key)]) + "}"


def _hold_values(node: NodeType) -> str:
    return _values(RELATIONSHIPS["IN_COLLECTION"].properties, len(node.schema))


def _values(properties: Properties, first: int) -> str:
    """Properties of a map, from the places `first`… of a row."""
    return ", ".join(f"{name}: r[{place}]" for place, name in enumerate(properties, start=first))
