"""The tables of a HOME, held ready for the page: light indexes in memory as long as their files stay the same."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from kg_pipeline.serving.browsing import (
    judged,
    judged_suggestions,
    leading_pairs,
    orphan_queue,
    passage_index,
    picture_index,
)
from kg_pipeline.serving.errors import NotFoundError
from kg_pipeline.storage import MissingTableError, TableStore
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import current_verdicts

LIGHT_CHUNKS = ("chunk_id", "document_id", "index", "text_sha256")

Stamp = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True)
class _Held:
    stamp: Stamp
    value: Any


class Catalogue:
    """Reads tables of any collection of a HOME. Safe to use from several threads; what a run replaces is read anew."""

    def __init__(self, store: TableStore) -> None:
        self.store = store
        self._held: dict[tuple[str, str], _Held] = {}
        self._lock = Lock()

    def collections(self) -> list[str]:
        """Names of the collections that were run."""
        return self.store.collections("image_files")

    def check(self, collection: str) -> str:
        """`collection`. Raises NotFoundError."""
        if collection not in self.collections():
            raise NotFoundError("there is no such collection; GET /api/collections lists them")
        return collection

    def count(self, collection: str, table: str) -> int:
        """Rows of a table; 0 when it was never written."""
        return int(self.rows(collection, table).select(pl.len()).collect().item())

    def table(self, collection: str, name: str, columns: tuple[str, ...] | None = None) -> pl.DataFrame:
        """A table, or some columns of it; empty when it was never written. Not held."""
        rows = self.rows(collection, name)
        return (rows.select(columns) if columns else rows).collect()

    def rows(self, collection: str, name: str) -> pl.LazyFrame:
        """A table to be read in part; empty when it was never written."""
        try:
            return self.store.scan(name, collection)
        except MissingTableError:
            return TABLES[name].empty().lazy()

    def verdicts(self, collection: str) -> pl.DataFrame:
        """The verdicts that hold today, as current_verdicts."""

        def read() -> pl.DataFrame:
            verdicts = self.table(collection, "verdicts")
            tables = {name: self.table(collection, name) for name in ("documents", "concepts", "images")}
            # All passages of the texts that were judged: enough to see where a text stands today, and where twice.
            texts = verdicts["text_sha256"].to_list()
            chunks = self.some(collection, "chunks", "text_sha256", texts)
            return current_verdicts(verdicts, tables | {"chunks": chunks})

        return self._kept(collection, "verdicts", ("verdicts", "documents", "concepts", "images", "chunks"), read)

    def pictures(self, collection: str) -> pl.DataFrame:
        """The collection's picture_index, judged."""
        sources = ("images", "image_files", "image_texts", "references")
        return judged(
            self._index(collection, "pictures", sources, picture_index), self.verdicts(collection), "image_id"
        )

    def passages(self, collection: str) -> pl.DataFrame:
        """The collection's passage_index, judged."""
        sources = ("chunks", "documents", "references")
        return judged(
            self._index(collection, "passages", sources, passage_index), self.verdicts(collection), "chunk_id"
        )

    def orphans(self, collection: str) -> pl.DataFrame:
        """The collection's orphan_queue, judged."""
        queue = self._index(collection, "orphans", ("orphan_images", "image_files"), orphan_queue)
        return judged_suggestions(queue, self.verdicts(collection))

    def files(self, collection: str) -> pl.DataFrame:
        """image_id, path and uri of every picture file that could be read."""

        def read() -> pl.DataFrame:
            return self.table(collection, "image_files", ("image_id", "path", "uri")).drop_nulls()

        return self._kept(collection, "files", ("image_files",), read)

    def evidence(self, collection: str, **of: str) -> pl.DataFrame:
        """Whole rows of visual_evidence of one picture (image_id=…) or one text (text_id=…)."""
        return self.rows(collection, "visual_evidence").filter(**of).collect()

    def some(self, collection: str, name: str, column: str, values: list[str]) -> pl.DataFrame:
        """The rows of a table whose `column` is one of `values`."""
        wanted = pl.LazyFrame({column: pl.Series(sorted(set(values)), dtype=pl.String)})
        return self.rows(collection, name).join(wanted, on=column, how="semi").collect()

    def _index(
        self,
        collection: str,
        name: str,
        sources: tuple[str, ...],
        build: Callable[[dict[str, pl.DataFrame]], pl.DataFrame],
    ) -> pl.DataFrame:
        def read() -> pl.DataFrame:
            tables = {
                source: self.table(collection, source, LIGHT_CHUNKS if source == "chunks" else None)
                for source in sources
            }
            tables["leading_pairs"] = leading_pairs(self.rows(collection, "visual_evidence"))
            return build(tables)

        return self._kept(collection, name, (*sources, "visual_evidence"), read)

    def _kept(
        self, collection: str, name: str, sources: tuple[str, ...], read: Callable[[], pl.DataFrame]
    ) -> pl.DataFrame:
        stamp = tuple(_stamp(self.store.path(source, collection)) for source in sources)
        with self._lock:
            held = self._held.get((collection, name))
        if held is None or held.stamp != stamp:
            # Two requests may both build it: better than that one waits for the other's collection.
            held = _Held(stamp, read())
            with self._lock:
                self._held[collection, name] = held
        value: pl.DataFrame = held.value
        return value


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino
