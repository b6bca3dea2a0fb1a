"""What can be asked of a HOME and its graph server; what was read stays until a run changes it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

import polars as pl

from kg_pipeline.config import Limits, Settings
from kg_pipeline.embedding import Embedder, EndpointEmbedder
from kg_pipeline.graph import Connection, connect
from kg_pipeline.known_collections import known_collections
from kg_pipeline.retrieval.answers import Answers
from kg_pipeline.retrieval.errors import RetrievalError
from kg_pipeline.retrieval.graph_passages import GraphPassages
from kg_pipeline.retrieval.hits import Hit
from kg_pipeline.retrieval.ordering import DEFAULT_WEIGHT
from kg_pipeline.retrieval.passages import By, Passages, TablePassages
from kg_pipeline.retrieval.searching import TOP, search
from kg_pipeline.retrieval.shown import SHOWN_TABLES
from kg_pipeline.storage import StorageError, TableStore
from kg_pipeline.tables import TABLES

READ_TABLES = (*SHOWN_TABLES, "concept_mentions", "embeddings", "image_texts", "orphan_images")

MOST_CHOICES = 8
"""Choices of collections whose passages stay in memory: who asks may name any set of them."""
NOTHING = "no collection was run yet: `kg-pipeline run` or `kg-pipeline demo` first"

Stamp = tuple[tuple[int, int] | None, ...]


class Library:
    """Collections that were run. Safe to be asked by several threads; a context manager that closes its connection."""

    def __init__(self, home: Path, settings: Settings | None = None, *, tables_only: bool = False) -> None:
        """Nothing is opened before it is needed. `tables_only`: search these, also where NEO4J_URI is set."""
        self.store = TableStore(home)
        self._settings = settings or Settings()
        self._on_server = bool(self._settings.neo4j_uri) and not tables_only
        self._opened = ExitStack()
        self._connection: Connection | None = None
        self._answers: dict[str, tuple[Stamp, Answers]] = {}
        self._passages: dict[tuple[str, ...] | None, tuple[tuple[Stamp, ...], Passages]] = {}
        self._lock = RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection to the graph server, if there is one."""
        with self._lock:
            self._opened.close()
            self._connection = None
            self._passages.clear()

    def collections(self) -> list[str]:
        """Names of the collections that were run."""
        return self.store.collections("chunks")

    def search(
        self,
        question: str,
        collections: Sequence[str] | None = None,
        *,
        top: int = TOP,
        weight: float = DEFAULT_WEIGHT,
        by: By | None = None,
    ) -> list[Hit]:
        """As `searching.search`, over these collections or all. Raises as it does; ConfigError."""
        return search(self.passages(collections), question, top=top, weight=weight, by=by)

    def passages(self, collections: Sequence[str] | None = None) -> Passages:
        """The passages of these collections, or of all: on the graph server where there is one, else in the tables.

        The embedded server has no search indexes, so it is not started: the tables hold the same.
        """
        with self._lock:
            return self._of_server(collections) if self._on_server else self._of_tables(collections)

    def _of_server(self, collections: Sequence[str] | None) -> Passages:
        names = tuple(sorted(set(collections))) if collections is not None else None
        if names not in self._passages:
            if self._connection is None:
                self._connection = self._opened.enter_context(connect(self._settings, self.store.home))
            embedder = self._embedder(names if names is not None else tuple(known_collections(self.store.home)))
            self._keep(names, (), GraphPassages(self._connection, names, embedder))
        return self._passages[names][1]

    def _of_tables(self, collections: Sequence[str] | None) -> Passages:
        names = tuple(sorted(set(collections))) if collections is not None else tuple(self.collections())
        if not names:
            raise RetrievalError(NOTHING)
        answers = [self.answers(name) for name in names]
        stamps = tuple(self._answers[name][0] for name in names)
        if self._passages.get(names, (None,))[0] != stamps:
            has_vectors = any(len(each.tables["embeddings"]) for each in answers)
            embedder = self._embedder(names) if has_vectors else None
            found = TablePassages({each.collection: each.tables for each in answers}, embedder)
            self._keep(names, stamps, found)
        return self._passages[names][1]

    def _keep(self, names: tuple[str, ...] | None, stamps: tuple[Stamp, ...], passages: Passages) -> None:
        self._passages.pop(names, None)
        self._passages[names] = stamps, passages
        while len(self._passages) > MOST_CHOICES:
            self._passages.pop(next(iter(self._passages)))

    def answers(self, collection: str) -> Answers:
        """What the last run of a collection left. Raises RetrievalError."""
        known = self.collections()
        if collection not in known:
            raise RetrievalError(
                f"no collection {collection!r} was run; there are: {', '.join(known)}" if known else NOTHING
            )
        with self._lock:
            stamp = self._stamp(collection)
            if self._answers.get(collection, (None,))[0] != stamp:
                self._answers[collection] = stamp, Answers(collection, self._read(collection))
            return self._answers[collection][1]

    def only(self, collection: str | None) -> str:
        """`collection`, or the only one there is. Raises RetrievalError."""
        known = self.collections()
        if collection is None and len(known) != 1:
            raise RetrievalError(f"say which collection: {', '.join(known)}" if known else NOTHING)
        return collection or known[0]

    def limits(self, collection: str) -> Limits:
        """The guards for its pictures. Raises ConfigError."""
        section = known_collections(self.store.home).get(collection)
        return section.limits if section else Limits()

    def _read(self, collection: str) -> Mapping[str, pl.DataFrame]:
        try:
            return {name: self.store.read(name, collection) for name in READ_TABLES}
        except (StorageError, pl.exceptions.PolarsError, OSError) as error:
            raise RetrievalError(
                f"the tables of {collection!r} in {self.store.home} cannot be read: {error}"
            ) from error

    def _stamp(self, collection: str) -> Stamp:
        """What changes when a run has written a table anew."""
        return tuple(_written(self.store.path(name, collection)) for name in READ_TABLES)

    def _embedder(self, collections: Sequence[str]) -> Embedder | None:
        """What gives questions their vectors: the collections' model, when they have one and the same."""
        configured = known_collections(self.store.home)
        sections = [configured[name].embeddings if name in configured else None for name in collections]
        first = sections[0] if sections else None
        if first is None or any(section != first for section in sections):
            return None
        return EndpointEmbedder(first, self._settings.embedding_api_key)


def _written(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


assert set(READ_TABLES) <= set(TABLES)
