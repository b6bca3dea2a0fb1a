"""Bringing every table of a HOME to the schema of this program."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from kg_pipeline.storage.schema_versions import KEPT, SchemaError, refuse_newer, scan_as_today, version_of
from kg_pipeline.storage.table_store import TableStore
from kg_pipeline.tables import SCHEMA_VERSION, TABLES, Table


@dataclass(frozen=True)
class Upgrade:
    """One file that was of an older schema."""

    table: str
    collection: str
    version: int
    """Before."""
    done: Literal["rewritten", "set aside"]


def outdated(home: Path) -> list[tuple[str, str, int]]:
    """Table, collection and version of every file of another schema, sorted. Raises StorageError for a damaged one."""
    store = TableStore(home)
    return [
        (table, collection, version_of(store.path(table, collection)))
        for table in sorted(TABLES)
        for collection in store.collections(table)
        if not _is_current(TABLES[table], store.path(table, collection))
    ]


def upgrade_home(home: Path) -> Iterator[Upgrade]:
    """Rewrite every table of an older schema, one file at a time; yields each when it is done.

    A table that cannot be read as today's and follows from the input is set aside, beside its place, as
    `<collection>.parquet.schema-<version>`: the next run makes it again. Killed at any moment, it can be run again.
    Nothing is touched when any file is of a newer schema, or a kept one cannot be upgraded: raises SchemaError.
    """
    store, files = TableStore(home), outdated(home)
    for table, collection, version in files:
        refuse_newer(TABLES[table], store.path(table, collection), version)
        if table in KEPT:
            scan_as_today(TABLES[table], store.path(table, collection))
    for table, collection, version in files:
        try:
            store.update(table, collection, lambda rows: rows)
            yield Upgrade(table, collection, version, "rewritten")
        except SchemaError:
            path = store.path(table, collection)
            path.replace(path.with_name(f"{path.name}.schema-{version}"))
            yield Upgrade(table, collection, version, "set aside")


def _is_current(table: Table, path: Path) -> bool:
    return version_of(path) == SCHEMA_VERSION and pl.read_parquet_schema(path) == table.schema
