"""What can be asked of a HOME and its graph server; what was read stays until a run changes it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from kg_pipeline.config import Collection, Limits, Settings
from kg_pipeline.embedding import Embedder, EndpointEmbedder
from kg_pipeline.graph import Connection, connect
from kg_pipeline.retrieval.answers import Answers
from kg_pipeline.retrieval.errors import RetrievalError
from kg_pipeline.retrieval.graph_passages import GraphPassages
from kg_pipeline.retrieval.hits import Hit
from kg_pipeline.retrieval.passages import Passages, TablePassages
from kg_pipeline.retrieval.searching import search
from kg_pipeline.retrieval.shown import SHOWN_TABLES
from kg_pipeline.storage import StorageError, TableStore
from kg_pipeline.tables import TABLES

READ_TABLES = (*SHOWN_TABLES, "concept_mentions", "embeddings", "image_texts", "orphan_images")

Stamp = tuple[tuple[int, int] | None, ...]


class Library:
    """Collections that were run. Safe to be asked by several threads."""

    def __init__(
        self, home: Path, configured: Mapping[str, Collection], settings: Settings, connection: Connection | None
    ) -> None:
        """`configured`: sections by name, for vectors and limits. Without a `connection` tables answer everything."""
        self.store = TableStore(home)
        self._configured, self._settings, self._connection = configured, settings, connection
        self._answers: dict[str, tuple[Stamp, Answers]] = {}
        self._passages: dict[tuple[str, ...], tuple[tuple[Stamp, ...], Passages]] = {}
        self._lock = Lock()

    def collections(self) -> list[str]:
        """Names of the collections that were run."""
        return self.store.collections("chunks")

    def search(self, question: str, collections: Sequence[str] | None = None, **options: Any) -> list[Hit]:
        """As `searching.search`, over these collections or all. Raises as it does."""
        return search(self.passages(collections), question, **options)

    def passages(self, collections: Sequence[str] | None = None) -> Passages:
        """The passages of these collections, or of all: on the graph server where there is one, else in the tables."""
        if self._connection:
            return GraphPassages(self._connection, collections, self._embedder(collections or list(self._configured)))
        names = tuple(sorted(set(collections))) if collections is not None else tuple(self.collections())
        if not names:
            raise RetrievalError(f"there is nothing to search in {self.store.home}: `kg-pipeline run` or `demo` first")
        tables = {name: self.answers(name).tables for name in names}
        with self._lock:
            stamps = tuple(self._answers[name][0] for name in names)
            if self._passages.get(names, (None,))[0] != stamps:
                self._passages[names] = stamps, TablePassages(tables, self._embedder(names))
            return self._passages[names][1]

    def answers(self, collection: str) -> Answers:
        """What the last run of a collection left. Raises RetrievalError."""
        if collection not in self.collections():
            there = ", ".join(self.collections()) or "none: `kg-pipeline run` or `demo` first"
            raise RetrievalError(f"no collection {collection!r} in {self.store.home}; there are: {there}")
        with self._lock:
            stamp = self._stamp(collection)
            if self._answers.get(collection, (None,))[0] != stamp:
                self._answers[collection] = stamp, Answers(collection, self._read(collection))
            return self._answers[collection][1]

    def limits(self, collection: str) -> Limits:
        """The guards for its pictures."""
        section = self._configured.get(collection)
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
        sections = [self._configured[name].embeddings if name in self._configured else None for name in collections]
        first = sections[0] if sections else None
        if first is None or any(section != first for section in sections):
            return None
        return EndpointEmbedder(first, self._settings.embedding_api_key)


@contextmanager
def open_library(
    home: Path, configured: Mapping[str, Collection], settings: Settings | None = None
) -> Iterator[Library]:
    """The library of `home`, with a connection to NEO4J_URI where that is set. Raises GraphError.

    The embedded server has no search indexes, so it is not started: the tables hold the same.
    """
    settings = settings or Settings()
    if not settings.neo4j_uri:
        yield Library(home, configured, settings, None)
        return
    with connect(settings, home) as connection:
        yield Library(home, configured, settings, connection)


def _written(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


assert set(READ_TABLES) <= set(TABLES)
