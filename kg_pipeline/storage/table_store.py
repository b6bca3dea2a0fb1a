"""Tables as Parquet files, one per table and collection, replaced atomically."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from kg_pipeline.storage.atomic import replacing
from kg_pipeline.storage.schema_versions import STAMP, StorageError, refuse_newer, scan_as_today, version_of
from kg_pipeline.tables import TABLES, Table, TableError

LOCK_SECONDS = 60.0


class MissingTableError(StorageError):
    """A table was never written for this collection."""


class TableStore:
    """`HOME/tables/<table>/<collection>.parquet`."""

    def __init__(self, home: Path) -> None:
        """`home` is made absolute; nothing is created before the first write."""
        self.home = home.absolute()

    def path(self, table: str, collection: str) -> Path:
        """File of a table. Raises StorageError for a name that is no table."""
        return self.home / "tables" / self._table(table).name / f"{collection}.parquet"

    def exists(self, table: str, collection: str) -> bool:
        """Whether the table was ever written for this collection."""
        return self.path(table, collection).exists()

    def scan(self, table: str, collection: str) -> pl.LazyFrame:
        """The table as a lazy frame, as it is now whatever replaces it before the frame is collected.

        Raises MissingTableError when it was never written, SchemaError (see there).
        """
        path = self.path(table, collection)
        try:
            return scan_as_today(TABLES[table], path)
        except FileNotFoundError as error:
            raise MissingTableError(
                f"table {table} of collection {collection!r} does not exist at {path}: "
                "materialize it first (kg-pipeline run)"
            ) from error

    def read(self, table: str, collection: str) -> pl.DataFrame:
        """The table, or its empty form when it was never written."""
        try:
            return self.scan(table, collection).collect()
        except MissingTableError:
            return TABLES[table].empty()

    def write(self, table: str, collection: str, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """Replace the table and return what was written. Raises TableError, StorageError; never leaves a half file."""
        rows = self._table(table).conform(frame.lazy().collect())
        self._check_key(self._table(table), rows)
        path = self.path(table, collection)
        if path.exists():
            self._refuse_newer(path, table)
        try:
            with replacing(path) as beside:
                rows.write_parquet(beside, compression="zstd", statistics=True, metadata=STAMP)
        except OSError as error:
            raise StorageError(
                f"cannot write {path}: {error.strerror or error}; check free space and rights of {self.home}"
            ) from error
        return rows

    def update(self, table: str, collection: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
        """Replace the table by `change` of what it holds (empty when never written) and return what was written.

        Updates of several processes follow one another: none is lost. Raises TableError, StorageError.
        """
        path = self.path(table, collection)
        lock = path.with_name(f".{path.name}.lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=LOCK_SECONDS):
                return self.write(table, collection, change(self.read(table, collection)))
        except Timeout as error:
            raise StorageError(
                f"cannot update {path}: another process has held {lock} for {LOCK_SECONDS:.0f} s; try again when it "
                "has ended"
            ) from error
        except OSError as error:
            raise StorageError(
                f"cannot update {path}: {error.strerror or error}; check free space and rights of {self.home}"
            ) from error

    def collections(self, table: str) -> list[str]:
        """Names of the collections for which `table` was written."""
        return sorted(path.stem for path in self.path(table, "x").parent.glob("*.parquet"))

    @staticmethod
    def _table(name: str) -> Table:
        if name not in TABLES:
            raise StorageError(f"there is no table {name!r}; tables are: {', '.join(TABLES)}")
        return TABLES[name]

    @staticmethod
    def _refuse_newer(path: Path, table: str) -> None:
        try:
            version = version_of(path)
        except StorageError:
            return  # damaged: what is written now mends it
        refuse_newer(TABLES[table], path, version)

    @staticmethod
    def _check_key(table: Table, rows: pl.DataFrame) -> None:
        if not table.unique:
            return
        doubled = rows.filter(pl.struct(table.key).is_duplicated())
        if len(doubled):
            first = doubled.select(table.key).row(0)
            raise TableError(f"table {table.name}: {len(doubled)} rows share a key {table.key}, the first is {first}")
