"""Whether a graph server can be used: reachable, new enough, rights, constraints; each finding with its remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kg_pipeline.config import Settings
from kg_pipeline.graph.connection import Connection, Transaction, connect, explained
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.search_indexes import find_search_indexes
from kg_pipeline.graph.unique_keys import create, indexes_in_the_way, our_labels, unique_labels

OLDEST = (5, 0)
"""The first version with elementId() and EXISTS {} as used here; tested with 5.26."""

COMPONENTS = "CALL dbms.components() YIELD name, versions, edition RETURN name, versions[0] AS version, edition"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def check_server(settings: Settings, home: Path) -> list[Check]:
    """Look at the server the settings name (or the embedded one of `home`, which is started); nothing is changed."""
    try:
        with connect(settings, home) as connection:
            return [Check("graph server", True, connection.address), *_checks(connection)]
    except GraphError as error:
        what, _, remedy = str(error).partition(": ")
        return [Check("graph server", False, what, remedy)]


def _checks(connection: Connection) -> Iterator[Check]:
    yield _version(connection)
    in_the_way = list(_plain_indexes(connection)) if connection.identity != "embedded" else []
    yield from in_the_way
    if not in_the_way:
        yield _constraints(connection)
    yield from _search_indexes(connection)


def _version(connection: Connection) -> Check:
    [found] = connection.read(f"{COMPONENTS} LIMIT 1")
    text = f"{found['name']} {found['version']} {found['edition']}"
    numbers = tuple(int(part) for part in str(found["version"]).split(".")[:2] if part.isdigit())
    return Check("graph version", numbers >= OLDEST, text, "" if numbers >= OLDEST else "use Neo4j 5.26 or newer")


def _plain_indexes(connection: Connection) -> Iterator[Check]:
    for name, label in indexes_in_the_way(connection):
        found = f"index {name} on {label}.id is in the way of our constraint"
        yield Check("graph constraints", False, found, f"DROP INDEX `{name}` (the constraint has its own)")


def _constraints(connection: Connection) -> Check:
    labels, present = our_labels(connection), unique_labels(connection)
    missing = [label for label in labels if label not in present]
    if not missing:
        return Check("graph constraints", True, f"id is unique on {', '.join(labels)}")
    if connection.identity == "embedded":
        return Check("graph constraints", True, "the first run creates them")
    try:
        _try_to_create(connection, missing)
    except GraphError as error:
        return Check("graph constraints", False, f"missing on {', '.join(missing)}, and cannot be created", str(error))
    return Check("graph constraints", True, f"missing on {', '.join(missing)}; the first run creates them")


def _search_indexes(connection: Connection) -> Iterator[Check]:
    found = find_search_indexes(connection, None)
    names = [finding.index.name for finding in found if finding.state in {"online", "populating"}]
    missing = [finding.index.name for finding in found if finding.state == "missing"]
    if all(finding.state == "unsupported" for finding in found):
        yield Check("graph search", True, "this server has no full-text and vector indexes; a Neo4j server has")
    if names:
        yield Check("graph search", True, f"indexes {', '.join(names)}")
    if missing:
        yield Check("graph search", True, f"no index {', '.join(missing)} yet; the first run creates them")
    for finding in found:
        if finding.state == "in the way":
            yield Check("graph search", False, f"index {finding.index.name} is not ours", finding.advice)


def _try_to_create(connection: Connection, labels: list[str]) -> None:
    """Create the constraints and take them back. Raises GraphError."""
    with (
        explained(connection.address, connection.names),
        connection.driver.session(database=connection.database) as session,
        session.begin_transaction() as transaction,
    ):
        create(Transaction(transaction, connection.names), labels)
        transaction.rollback()
