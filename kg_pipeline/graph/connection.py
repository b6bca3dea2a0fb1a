"""A connection to the graph: the server NEO4J_URI names, else the embedded one; driver errors in plain words."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import neo4j
from neo4j import exceptions as bolt

from kg_pipeline.config import Settings
from kg_pipeline.graph.embedded import attached
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.model import NODES
from kg_pipeline.graph.names import AS_IN_THE_MODEL, Names

Result = TypeVar("Result")

DRIVER_SETTINGS: Mapping[str, Any] = {
    "connection_timeout": 10.0,
    "connection_acquisition_timeout": 60.0,
    "max_transaction_retry_time": 30.0,
    # A pooled connection that idled longer is checked before use: firewalls drop idle ones silently.
    "liveness_check_timeout": 30.0,
    "keep_alive": True,
    "notifications_min_severity": "WARNING",
    # In an empty graph every label is "unrecognized"; that says nothing.
    "notifications_disabled_classifications": ["UNRECOGNIZED"],
    "user_agent": "kg-pipeline",
}

# When the process on this machine is gone, waiting for it to come back is in vain.
EMBEDDED_SETTINGS: Mapping[str, Any] = {**DRIVER_SETTINGS, "max_transaction_retry_time": 8.0}

RETRIED_CODES = (
    # Another transaction has deleted what this one matched.
    "Neo.ClientError.Statement.EntityNotFound",
    # ArcadeDB, where another has just created what this one merges; the next attempt finds it.
    "Neo.ClientError.Schema.ConstraintValidationFailed",
)
"""Not retryable to the driver, but worth another attempt because all statements are idempotent."""
ATTEMPTS = 6

EMBEDDED = "embedded"
"""`identity` of the embedded server of any HOME."""

SCHEMES = frozenset(f"{scheme}{tls}" for scheme in ("bolt", "neo4j") for tls in ("", "+s", "+ssc"))

TOO_LARGE = "Neo.TransientError.General.MemoryPoolOutOfMemoryError"


class BatchTooLargeError(Exception):
    """The server has not enough memory for one transaction of this size."""


class _Unprinted(list[Any]):
    """A parameter that is not written out: the driver makes text of all for its debug log, also when nobody reads it.

    That took a fifth of our time, and would put passages into a log.
    """

    def __repr__(self) -> str:
        return f"<{len(self)} values>"


def _unprinted(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _Unprinted(value) if isinstance(value, list) else value for name, value in parameters.items()}


@dataclass(frozen=True)
class Transaction:
    """A transaction of the driver, for statements in the names of the model."""

    driven: neo4j.Transaction
    names: Names

    def run(self, text: str, parameters: Mapping[str, Any] | None = None, /, **more: Any) -> neo4j.Result:
        """Send a statement."""
        return self.driven.run(self.names.cypher(text), _unprinted({**(parameters or {}), **more}))


@dataclass(frozen=True)
class Connection:
    """An open driver, its database, and how to call the server in messages (never a password)."""

    driver: neo4j.Driver = field(repr=False)
    database: str | None
    address: str
    identity: str
    """Names the server and database across runs, also when the port changes."""
    retry_seconds: float
    """How long a transaction is tried again when the server is away or others are in the way."""

    names: Names = AS_IN_THE_MODEL
    """What our labels and types are called there. The statements given to `read`, `write` and `run` follow."""

    @property
    def parallel(self) -> bool:
        """Whether writers of disjoint nodes can go on side by side: ArcadeDB's transactions fail by page instead."""
        return self.identity != EMBEDDED

    def read(self, text: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """All records of a reading statement of ours. Raises GraphError."""
        return self.ask(self.names.cypher(text), **parameters)

    def ask(self, text: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """All records of a reading statement that somebody else wrote in the names there. Raises GraphError."""
        return self._read(text, parameters, neo4j.Result.data)

    def rows(self, text: str, /, **parameters: Any) -> list[list[Any]]:
        """The values of all records of a reading statement of ours, in half of the time of `read`."""
        return self._read(self.names.cypher(text), parameters, neo4j.Result.values)

    def _read(self, text: str, parameters: Mapping[str, Any], take: Callable[[neo4j.Result], Result]) -> Result:
        def work(transaction: neo4j.ManagedTransaction) -> Result:
            return take(transaction.run(text, _unprinted(parameters)))

        with explained(self.address, self.names), self._session() as session:
            return session.execute_read(work)

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work`, which must be idempotent, in one transaction. Raises GraphError, BatchTooLargeError.

        Not the driver's execute_write: it resends for 30 s what the server has no memory for, and gives up where
        another attempt would do.
        """
        deadline = time.monotonic() + self.retry_seconds
        with explained(self.address, self.names):
            for attempt in count(1):
                try:
                    with self._session() as session, session.begin_transaction() as transaction:
                        result = work(Transaction(transaction, self.names))
                        transaction.commit()
                    return result
                except (bolt.Neo4jError, bolt.DriverError) as error:
                    if getattr(error, "code", None) == TOO_LARGE:
                        raise BatchTooLargeError(TOO_LARGE) from error
                    if not _worth_another_attempt(error, attempt) or time.monotonic() > deadline:
                        raise
                # Spread, so that two runs that got in each other's way do not meet again.
                time.sleep(min(0.05 * 2**attempt, 4.0) * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    def _session(self) -> neo4j.Session:
        # Sessions of one connection read what the ones before have written, also from another member of a cluster.
        bookmarks = self.driver.execute_query_bookmark_manager
        return self.driver.session(database=self.database, bookmark_manager=bookmarks)

    def run(self, text: str, /, **parameters: Any) -> None:
        """Run one writing statement, e.g. DDL. Raises GraphError."""
        self.write(lambda transaction: transaction.run(text, parameters).consume())


@contextmanager
def connect(settings: Settings, home: Path) -> Iterator[Connection]:
    """A checked connection: to NEO4J_URI when set, else to the embedded server of `home`.

    Raises GraphError; ConfigError when `graph_names` holds names that cannot be.
    """
    names = Names.of(settings.graph_names)
    if settings.neo4j_uri:
        password = settings.neo4j_password.get_secret_value()
        auth = (settings.neo4j_username, password) if password else None
        with _opened(settings.neo4j_uri, auth, settings.neo4j_database, names) as connection:
            yield connection
    else:
        with (
            attached(home) as server,
            _opened(server.uri, server.auth, server.database, names, EMBEDDED, EMBEDDED_SETTINGS) as connection,
        ):
            yield connection


def checked_address(uri: str) -> str:
    """`uri`, when it is the address of a Bolt server and holds no secret, so that it may be printed. Raises GraphError.

    The driver refuses user and password in the address too, but quotes them.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if "@" in uri:
        raise GraphError(
            f"NEO4J_URI holds a user name or password: write the address alone ({parts.scheme}://"
            f"{host or 'host'}{f':{port}' if port else ''}) and set NEO4J_USERNAME and NEO4J_PASSWORD"
        )
    if parts.scheme not in SCHEMES or not host:
        raise GraphError(
            f"NEO4J_URI is not the address of a Neo4j server: {uri}; "
            "expected e.g. neo4j://localhost:7687 or neo4j+s://name.databases.neo4j.io"
        )
    return uri


@contextmanager
def _opened(
    uri: str,
    auth: tuple[str, str] | None,
    database: str | None,
    names: Names,
    identity: str | None = None,
    driver_settings: Mapping[str, Any] = DRIVER_SETTINGS,
) -> Iterator[Connection]:
    address = checked_address(uri)
    with neo4j.GraphDatabase.driver(address, auth=auth, **driver_settings) as driver:
        name = identity or f"{address}/{database or ''}"
        connection = Connection(driver, database, address, name, driver_settings["max_transaction_retry_time"], names)
        with explained(address, names):
            driver.verify_connectivity()
        connection.read("RETURN 1 AS one")
        yield connection


@contextmanager
def explained(address: str, names: Names) -> Iterator[None]:
    """Turn errors of the driver into GraphError: what, where, what to do. Values of parameters stay out of it."""
    try:
        yield
    except (bolt.ServiceUnavailable, bolt.SessionExpired, OSError) as error:
        raise GraphError(
            f"no Neo4j server answers at {address} ({_first_line(error)}): start it, or correct NEO4J_URI; "
            "without NEO4J_URI an embedded server is used"
        ) from error
    except bolt.AuthError as error:
        if isinstance(error, bolt.Forbidden) or "Forbidden" in (error.code or ""):
            raise _too_few_rights(address, error) from error
        raise GraphError(
            f"the Neo4j server at {address} refuses user name or password: set NEO4J_USERNAME and NEO4J_PASSWORD"
        ) from error
    except bolt.Forbidden as error:
        raise _too_few_rights(address, error) from error
    except bolt.ConstraintError as error:
        # The server's message quotes the offending value, so neither it nor the chain may show it.
        raise GraphError(
            f"the graph at {address} refuses a row: a uniqueness constraint is violated ({error.code}). A node of your "
            "own uses an `id` of ours with other labels, or concept nodes lack the label __Entity__; "
            "`kg-pipeline doctor` shows the constraints"
        ) from None
    except bolt.Neo4jError as error:
        raise GraphError(_explain_server_error(address, error, names)) from None
    except bolt.DriverError as error:
        raise GraphError(f"the connection to {address} failed: {_first_line(error)}") from error


def _worth_another_attempt(error: bolt.Neo4jError | bolt.DriverError, attempt: int) -> bool:
    """Idempotent statements may also be sent again when nobody knows whether the commit succeeded."""
    if isinstance(error, bolt.IncompleteCommit) or getattr(error, "code", None) in RETRIED_CODES:
        return attempt < ATTEMPTS
    return error.is_retryable()


def _too_few_rights(address: str, error: bolt.Neo4jError) -> GraphError:
    return GraphError(
        f"the user has too few rights on {address} ({error.code}): it needs to read, write and create constraints "
        "(role `architect` or more; on a cluster also a member that takes writes)"
    )


def _explain_server_error(address: str, error: bolt.Neo4jError, names: Names) -> str:
    code = error.code or ""
    gone = "database" in str(error.message).lower() and "not exist" in str(error.message)
    if "DatabaseNotFound" in code or gone:
        return f"there is no such database on {address}: correct NEO4J_DATABASE, or leave it unset for the default one"
    if "DatabaseUnavailable" in code or "DatabaseNotAvailable" in code:
        return f"the database on {address} is not available ({code}): wait until it is online and run again"
    if "IndexAlreadyExists" in code or "IndexWithNameAlreadyExists" in code:
        return (
            f"an index at {address} is in the way of a uniqueness constraint of ours: `kg-pipeline doctor` names it; "
            "drop it, the constraint brings its own"
        )
    if "ConstraintCreationFailed" in code or "ConstraintValidationFailed" in code:
        labels = ", ".join(names[label] for label in NODES)
        return (
            f"the graph at {address} has several nodes of one of our labels ({labels}) with the same `id`: "
            "rename that label of your nodes, or use a database of its own (NEO4J_DATABASE)"
        )
    # A type or argument error quotes the value, which is text of a document.
    says_values = code.startswith("Neo.ClientError.Statement") and "Syntax" not in code
    detail = "the log of the server says more" if says_values else _first_line(error.message or "")
    return f"the graph at {address} refused a statement: {code}: {detail}"


def _first_line(error: object) -> str:
    lines = str(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__
