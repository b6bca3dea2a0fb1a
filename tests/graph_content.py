"""What a graph holds, to compare two of them."""

import json

PASSING = {"generation", "first_seen", "generated_at", "completed_at", "input_hash", "claimed", "claimed_by"}
"""What differs between two graphs that are equal: times and counters of runs."""


def content(server) -> list[str]:
    """Every node and relationship, but for what is passing, as sorted text."""
    with server.connect() as connection:
        nodes = connection.read("MATCH (n) RETURN labels(n) AS labels, properties(n) AS properties")
        edges = connection.read(
            "MATCH (a)-[r]->(b) RETURN a.id AS start, type(r) AS type, b.id AS end, properties(r) AS properties"
        )
    for row in (*nodes, *edges):
        row["properties"] = {key: value for key, value in row["properties"].items() if key not in PASSING}
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in (*nodes, *edges))
