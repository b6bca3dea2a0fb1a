"""What differs between two states of a table: rows added, removed, changed."""

from dataclasses import dataclass

import polars as pl

from kg_pipeline.tables import Table

COUNT = "row count"
"""No column of a table has a space in its name."""


@dataclass(frozen=True)
class Changes:
    """Rows by what happened to them."""

    added: int
    removed: int
    changed: int
    """Rows whose key was there before with other values; 0 for tables whose rows may share a key."""


def row_changes(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """How `after` differs from `before`; both have the columns of `table`."""
    if before.equals(after):
        return Changes(0, 0, 0)
    if not table.unique:
        return _counted(before, after)
    key = list(table.key)
    both = before.join(after, on=key, suffix=" after", nulls_equal=True)
    values = [name for name in table.schema if name not in key]
    differs = (pl.col(name).ne_missing(pl.col(f"{name} after")) for name in values)
    changed = both.select(pl.any_horizontal(differs).sum()).item() if values else 0
    return Changes(added=len(after) - len(both), removed=len(before) - len(both), changed=int(changed))


def _counted(before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """Rows may stand there twice: what counts is how often each is there. By 64-bit hashes, so lists compare too."""
    counts = [
        frame.select(row=frame.hash_rows()).group_by("row").agg(pl.len().cast(pl.Int64).alias(COUNT))
        for frame in (before, after)
    ]
    more = counts[0].join(counts[1], on="row", how="full", suffix=" after").select(
        pl.col(f"{COUNT} after").fill_null(0) - pl.col(COUNT).fill_null(0)
    ).to_series()  # fmt: skip
    return Changes(added=int(more.clip(lower_bound=0).sum()), removed=int((-more).clip(lower_bound=0).sum()), changed=0)
