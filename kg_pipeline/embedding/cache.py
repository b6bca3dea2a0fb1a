"""Every vector ever computed, by the text's hash and the embedder's fingerprint."""

from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from kg_pipeline.embedding.errors import EmbeddingError

SCHEMA = pl.Schema({"embedder": pl.String(), "text_sha256": pl.String(), "vector": pl.List(pl.Float32())})


class EmbeddingCache:
    """A Delta table in a folder of its own, partitioned by embedder. Appended batch by batch, each in one commit."""

    def __init__(self, folder: Path) -> None:
        """Nothing is created before the first append."""
        self.path = folder.absolute()

    def lookup(self, embedder: str, texts: pl.DataFrame) -> pl.DataFrame:
        """Known vectors of `texts` (text_sha256): text_sha256, vector, sorted."""
        if not self._exists():
            return pl.DataFrame(schema=SCHEMA).select("text_sha256", "vector")
        return (
            pl.scan_delta(str(self.path))
            .filter(pl.col("embedder") == embedder)
            .join(texts.lazy().select("text_sha256"), on="text_sha256", how="semi")
            # Two runs at once may both have asked for a text.
            .unique("text_sha256", keep="first", maintain_order=True)
            .select("text_sha256", "vector")
            .sort("text_sha256")
            .collect()
        )

    def append(self, embedder: str, vectors: pl.DataFrame) -> None:
        """Add rows text_sha256, vector. Raises EmbeddingError."""
        if vectors.is_empty():
            return
        rows = vectors.select(pl.lit(embedder).alias("embedder"), "text_sha256", "vector").cast(SCHEMA)
        try:
            write_deltalake(str(self.path), rows.to_arrow(), mode="append", partition_by=["embedder"])
        except (DeltaError, OSError) as error:
            raise EmbeddingError(
                f"cannot keep {len(rows)} vectors in {self.path}: {error}; check free space and rights"
            ) from error

    def compact(self) -> None:
        """Join the small files that appending left."""
        if self._exists():
            DeltaTable(str(self.path)).optimize.compact()

    def _exists(self) -> bool:
        return DeltaTable.is_deltatable(str(self.path))
