"""What a blocking strategy is, and how it turns scores into ranked proposals."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.fields import Fields
from kg_pipeline.candidates.sparse import Scores

PROPOSALS = pl.Schema({"image_id": pl.String(), "text_kind": pl.String(), "text_id": pl.String(), "rank": pl.Int64()})


class Strategy(Protocol):
    """Proposes texts for pictures: cheap, generous, and never by a picture's own references."""

    @property
    def name(self) -> str:
        """Stands in the column `strategies`."""
        ...

    def propose(self, corpus: Corpus) -> pl.LazyFrame:
        """Columns image_id, text_kind, text_id, rank (1… per image, best first)."""
        ...


def chosen(scores: Scores, allowed: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """The `limit` best allowed cells of each row; of equal scores those further left."""
    ordered = np.where(allowed, scores, -np.inf)
    if limit >= ordered.shape[1]:
        return np.isfinite(ordered)
    # Everything above the limit-th value, then as many of those equal to it as there is room for.
    floor = -np.partition(-ordered, limit - 1, axis=1)[:, limit - 1 : limit]
    equal = ordered == floor
    room = limit - (ordered > floor).sum(axis=1, keepdims=True)
    best = (ordered > floor) | (equal & (np.cumsum(equal, axis=1) <= room))
    return np.asarray(best & np.isfinite(ordered), np.bool_)


def best_passages(scores: Scores, allowed: NDArray[np.bool_], limit: int) -> tuple[NDArray[np.int64], ...]:
    """Row, column and rank of the `limit` best allowed cells of each row; equal scores in order of column."""
    rows, columns = np.nonzero(chosen(scores, allowed, limit))
    order = np.lexsort((columns, -scores[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    counts = np.bincount(rows, minlength=len(scores))
    ranks = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    return rows, columns, ranks


def proposals(fields: Fields, parts: Iterable[tuple[slice, tuple[NDArray[np.int64], ...]]]) -> pl.LazyFrame:
    """The frame of a strategy from `best_passages` of each block of pictures."""
    image_ids = pl.Series("image_id", [image.image_id for image in fields.images], pl.String())
    chunk_ids = pl.Series("text_id", fields.chunk_ids, pl.String())
    frames = [
        pl.DataFrame(
            {
                "image_id": image_ids.gather(rows + block.start),
                "text_kind": pl.Series(["chunk"]).new_from_index(0, len(rows)),
                "text_id": chunk_ids.gather(columns),
                "rank": ranks,
            },
            schema=PROPOSALS,
        )
        for block, (rows, columns, ranks) in parts
    ]
    return pl.concat([pl.DataFrame(schema=PROPOSALS), *frames]).lazy()
