"""Cutting rows into batches for one transaction each, and into groups that several writers may write at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from kg_pipeline.graph.frames import Ends
from kg_pipeline.graph.model import VECTOR

NODE_ROWS, EDGE_ROWS = 5_000, 10_000
# Transactions of 1.5 MB a row have exhausted a pool of 3.5 GiB elsewhere (cartography 72e632efa).
BATCH_BYTES = 8_000_000

WRITERS = 2
"""Transactions at a time: the server works on one while rows for the other are packed and sent. On two cores shared
with the server, two take two thirds of the time of one, and four more than two."""
PARALLEL_ROWS = 20_000
"""Rows from which on several are written at a time: with fewer, there is hardly a second batch."""


def batches(rows: pl.DataFrame, max_rows: int, max_bytes: int = BATCH_BYTES) -> Iterator[pl.DataFrame]:
    """Slices of at most `max_rows` rows and about `max_bytes` of text (a single larger row goes alone)."""
    if rows.is_empty():
        return
    sizes = _row_bytes(rows).to_list()
    start, size = 0, 0
    for position, row_bytes in enumerate(sizes):
        if position > start and (position - start == max_rows or size + row_bytes > max_bytes):
            yield rows.slice(start, position - start)
            start, size = position, 0
        size += row_bytes
    yield rows.slice(start)


def rounds(rows: pl.DataFrame, ends: Ends) -> Iterator[list[pl.DataFrame]]:
    """The rows in rounds of groups, where no two groups of a round share a node: so no two writers wait for a lock.

    As in neo4j-parallel-spark-loader: each side in as many groups as there are writers; group a of the starts meets
    group (round - a) of the ends. Where both sides are nodes of one label, or few rows, everything is one group.
    """
    if rows.height < PARALLEL_ROWS or ends[0] == ends[2]:
        yield [rows]
        return
    start, end = pl.col("start").hash() % WRITERS, pl.col("end").hash() % WRITERS
    placed = rows.with_columns(_group=start, _round=(start + end) % WRITERS)
    for number in range(WRITERS):
        groups = [placed.filter(_round=number, _group=group).drop("_group", "_round") for group in range(WRITERS)]
        yield [group for group in groups if not group.is_empty()]


def as_lists(rows: pl.DataFrame) -> list[list[object]]:
    """A list of values per row, as statements take them."""
    with _collector_paused():
        # By column: a third faster than DataFrame.rows() where texts are long.
        return [list(values) for values in zip(*(column.to_list() for column in rows), strict=True)]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cycles among rows, which have none: half of the time of making them, with all threads waiting.

    Of two threads that pause it at a time, the one that found it running starts it again.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _row_bytes(rows: pl.DataFrame) -> pl.Series:
    texts = [pl.col(name).str.len_bytes() for name, dtype in rows.schema.items() if dtype == pl.String]
    lists = [
        pl.col(name).list.eval(pl.element().str.len_bytes()).list.sum()
        for name, dtype in rows.schema.items()
        if dtype == pl.List(pl.String)
    ]
    # A float is 9 bytes on the wire.
    vectors = [pl.col(name).list.len() * 9 for name, dtype in rows.schema.items() if dtype == VECTOR]
    # 100: numbers and framing of a row.
    return rows.select(pl.sum_horizontal(pl.lit(100), *texts, *lists, *vectors).cast(pl.Int64).alias("bytes"))["bytes"]
