"""Vectors of many texts: from the cache where they are known, else from the embedder."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kg_pipeline.embedding.cache import EmbeddingCache
from kg_pipeline.embedding.errors import EmbeddingError
from kg_pipeline.embedding.protocol import Embedder, Vectors
from kg_pipeline.progress import progress
from kg_pipeline.tables import TABLES

# A killed run loses at most this many vectors.
STORED_TEXTS = 512

# A vector of 1,000 dimensions turns by less than 0.001 radians, and a GPU that computes a batch of another size
# gives the same row.
DECIMALS = 4


@dataclass(frozen=True)
class EmbeddingReport:
    """Where the vectors came from."""

    embedded: int
    """Texts that were sent."""
    cache_hits: int
    refused: int
    """Texts that the model does not take; they are in the table without a vector."""


def embed_texts(embedder: Embedder, cache: EmbeddingCache, texts: pl.DataFrame) -> tuple[pl.DataFrame, EmbeddingReport]:
    """The table `embeddings` of `texts` (text_sha256, text); blank texts are left out. Raises EmbeddingError.

    What was computed before an error is in the cache, so that another run goes on from there.
    """
    wanted = (
        texts.filter(pl.col("text").str.strip_chars() != "")
        .unique("text_sha256", keep="first", maintain_order=True)
        .sort("text_sha256")
    )
    known = cache.lookup(embedder.fingerprint, wanted)
    # Texts of like length together: servers pad a batch to its longest.
    missing = wanted.join(known, on="text_sha256", how="anti").sort(pl.col("text").str.len_chars(), "text_sha256")
    found, refused = [known], []
    advance = progress("embedding passages", missing.height)
    for start in range(0, missing.height, STORED_TEXTS):
        batch = missing.slice(start, STORED_TEXTS)
        rows = batch.select("text_sha256", vector=_rounded(embedder.embed(batch["text"].to_list())))
        usable = pl.col("vector").list.eval(pl.element().is_nan()).list.any().not_()
        kept = rows.filter(usable)
        cache.append(embedder.fingerprint, kept)
        found.append(kept)
        refused.append(rows.filter(~usable).select("text_sha256"))
        advance(start + batch.height)
    if missing.height > STORED_TEXTS:
        cache.compact()
    vectors = pl.concat(found)
    _check_lengths(vectors, embedder, cache)
    refusals = pl.concat([pl.DataFrame(schema={"text_sha256": pl.String()}), *refused])
    table = pl.concat(
        [
            vectors.with_columns(error=pl.lit(None, pl.String())),
            refusals.with_columns(vector=None, error=pl.lit("the model does not take this text; it may be too long")),
        ],
        how="diagonal_relaxed",
    ).with_columns(embedder=pl.lit(embedder.fingerprint))
    report = EmbeddingReport(missing.height, known.height, refusals.height)
    return TABLES["embeddings"].conform(table), report


def dimensions_of(embeddings: pl.DataFrame) -> int | None:
    """Length of the vectors of a table `embeddings`; None when it has none."""
    lengths = embeddings["vector"].drop_nulls().list.len().unique().to_list()
    return max(lengths, default=None)


def _rounded(vectors: Vectors) -> pl.Series:
    # Plus zero, because -0.0 and 0.0 are equal numbers and different bytes.
    return pl.Series("vector", np.round(vectors, DECIMALS) + np.float32(0)).cast(pl.List(pl.Float32()))


def _check_lengths(vectors: pl.DataFrame, embedder: Embedder, cache: EmbeddingCache) -> None:
    lengths = vectors["vector"].list.len().unique().sort().to_list()
    if len(lengths) > 1:
        raise EmbeddingError(
            f"{embedder.fingerprint} gives vectors of {lengths} dimensions: the model behind that name was replaced. "
            f"Give the new one another name, or delete {cache.path}"
        )
