"""Connections that fail at a chosen commit: the process dies there, or the answer of the server is lost."""

import threading
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import neo4j

from kg_pipeline.graph import Connection


class ProcessKilledError(BaseException):
    """Stands for SIGKILL: nothing in the pipeline may catch it."""


class Fate(StrEnum):
    """What becomes of a commit."""

    KILLED_BEFORE = "the process dies before the commit"
    KILLED_AFTER = "the process dies after the commit"
    LOST_BEFORE = "nobody knows whether the commit happened, and it did not"
    LOST_AFTER = "nobody knows whether the commit happened, and it did"

    @property
    def kills(self) -> bool:
        return self in {Fate.KILLED_BEFORE, Fate.KILLED_AFTER}

    @property
    def commits(self) -> bool:
        return self in {Fate.KILLED_AFTER, Fate.LOST_AFTER}


@dataclass
class Faults:
    """The `at`-th commit of data (DDL is not counted) meets its fate; a dead process commits nothing more."""

    at: int
    fate: Fate
    commits: int = 0
    dead: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_commit(self) -> Fate | None:
        """Fate of this commit; None when it goes through."""
        with self.lock:
            self.check_alive()
            self.commits += 1
            if self.commits != self.at:
                return None
            self.dead = self.fate.kills
            return self.fate

    def check_alive(self) -> None:
        if self.dead:
            raise ProcessKilledError


def failing(connection: Connection, faults: Faults) -> Connection:
    """The same connection with these faults."""
    return replace(connection, driver=_Driver(connection.driver, faults))


@dataclass
class _Driver:
    real: neo4j.Driver
    faults: Faults

    def session(self, **settings: Any) -> "_Session":
        self.faults.check_alive()
        return _Session(self.real.session(**settings), self.faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass
class _Session:
    real: neo4j.Session
    faults: Faults

    def begin_transaction(self, **settings: Any) -> "_Transaction":
        self.faults.check_alive()
        return _Transaction(self.real.begin_transaction(**settings), self.faults)

    def __enter__(self) -> "_Session":
        self.real.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.real.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        self.faults.check_alive()
        return getattr(self.real, name)


@dataclass
class _Transaction:
    real: neo4j.Transaction
    faults: Faults
    is_ddl: bool = False

    def run(self, text: str, *arguments: Any, **parameters: Any) -> neo4j.Result:
        self.faults.check_alive()
        self.is_ddl = self.is_ddl or text.lstrip().startswith(("CREATE CONSTRAINT", "CREATE INDEX"))
        return self.real.run(text, *arguments, **parameters)

    def commit(self) -> None:
        fate = None if self.is_ddl else self.faults.on_commit()
        if fate is None or fate.commits:
            self.real.commit()
        else:
            self.real.rollback()
        if fate is not None:
            raise ProcessKilledError if fate.kills else neo4j.exceptions.IncompleteCommit(str(fate))

    def __enter__(self) -> "_Transaction":
        self.real.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.real.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)
