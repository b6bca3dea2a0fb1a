"""Tables that another version of the program wrote: read as today's, or refused with what to do.

Every file carries the version of the schema it was written with. A file is replaced whole, so each is of one version,
and a HOME may hold files of several: an upgrade that was killed is run again.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import polars as pl
from polars.datatypes import DataTypeClass

from kg_pipeline.tables import SCHEMA_VERSION, Table

VERSION_KEY = "kg_pipeline.schema"
STAMP = {VERSION_KEY: str(SCHEMA_VERSION)}
"""Metadata of every Parquet file of a table."""

UNSTAMPED = 0
"""Version of files from before there were versions."""

DataType = pl.DataType | DataTypeClass
Step = Callable[[pl.LazyFrame], pl.LazyFrame]

STEPS: Mapping[str, Mapping[int, Step]] = {}
"""By table and version: what makes a file of the version before into one of this version. A column that is only added
needs no step; one that is renamed or gets another type does."""

KEPT = frozenset({"verdicts", "evidence_weights", "calibrators"})
"""Tables that no run makes again: people's words, and what was learned. All others follow from the input."""


class StorageError(Exception):
    """A table could not be read or written."""


class SchemaError(StorageError):
    """A table was written by a version of the program whose schema this one cannot read."""


def version_of(path: Path) -> int:
    """The schema version a file was written with. Raises StorageError when it is not Parquet."""
    try:
        with path.open("rb") as file:
            return _version(path, file)
    except OSError as error:
        raise _unreadable(path, error) from error


def _version(path: Path, file: BinaryIO) -> int:
    try:
        return int(pl.read_parquet_metadata(file).get(VERSION_KEY, UNSTAMPED))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path} cannot be read ({error}): remove it, and `kg-pipeline run` makes it again")


def refuse_newer(table: Table, path: Path, version: int) -> None:
    """Raise SchemaError for a file of a version that does not exist yet: neither read nor replaced by this program."""
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"table {table.name} at {path} was written by a newer kg-pipeline (schema {version}, this one knows "
            f"{SCHEMA_VERSION}): update kg-pipeline, or use another HOME"
        )


def scan_as_today(table: Table, path: Path) -> pl.LazyFrame:
    """The file with today's columns and types: what was added since is null, what is gone is left out.

    The frame keeps the file open, so it shows what was there now, also after the path has got another file. Raises
    SchemaError when it cannot be read as today's, StorageError when it is damaged, FileNotFoundError.
    """
    # A path would be opened several times, for the schema, the metadata and the rows: each might find another file.
    with path.open("rb") as file:
        version = _version(path, file)
        refuse_newer(table, path, version)
        file.seek(0)
        frame = pl.scan_parquet(file)
    for step_version, step in sorted(STEPS.get(table.name, {}).items()):
        if step_version > version:
            frame = step(frame)
    found, wanted = frame.collect_schema(), table.schema
    if found == wanted:
        return frame
    lacking = [name for name in table.required if name not in found]
    others = [name for name, dtype in wanted.items() if name in found and not _fits(found[name], dtype)]
    if lacking or others:
        problems = [f"lacks {', '.join(lacking)}"] if lacking else []
        problems += [f"has another type of {', '.join(others)}"] if others else []
        raise SchemaError(
            f"table {table.name} at {path} was written with schema {version} and {' and '.join(problems)}, "
            f"which schema {SCHEMA_VERSION} needs: {_remedy(table)}"
        )
    return frame.select(
        _filled(pl.col(name), found[name], dtype).alias(name) if name in found else pl.lit(None, dtype).alias(name)
        for name, dtype in wanted.items()
    )


def _fits(found: DataType, wanted: DataType) -> bool:
    """Whether values of one type can stand for another: the same, or a struct to which fields were added."""
    if isinstance(found, pl.Struct) and isinstance(wanted, pl.Struct):
        fields = dict(found)
        return all(_fits(fields[name], dtype) for name, dtype in wanted if name in fields)
    return found == wanted


def _filled(value: pl.Expr, found: DataType, wanted: DataType) -> pl.Expr:
    """The value, with null for the fields that its struct lacks."""
    if found == wanted or not (isinstance(found, pl.Struct) and isinstance(wanted, pl.Struct)):
        return value
    fields = dict(found)
    parts = [
        _filled(value.struct.field(name), fields[name], dtype).alias(name)
        if name in fields
        else pl.lit(None, dtype).alias(name)
        for name, dtype in wanted
    ]
    return pl.when(value.is_not_null()).then(pl.struct(parts))


def _remedy(table: Table) -> str:
    if table.name in KEPT:
        return "no run makes it again, so keep the file and go back to the version of kg-pipeline that wrote it"
    return "`kg-pipeline upgrade` sets it aside, and the next run makes it again"
