"""Every score a model reranker ever gave, so that an unchanged pair never goes to a model again."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from kg_pipeline.storage.schema_versions import StorageError

SCHEMA = pl.Schema(
    {
        "scorer": pl.String(),
        "text_sha256": pl.String(),
        "image_id": pl.String(),
        "log_odds": pl.Float64(),
        "truncated": pl.Boolean(),
    }
)
KEY = ("scorer", "text_sha256", "image_id")


class ScoreLedger:
    """A Delta table at `HOME/ledger`, partitioned by scorer, keyed (scorer, text_sha256, image_id).

    Batches are appended while scoring, each in one commit: a killed run loses at most the batch it was in.
    """

    def __init__(self, home: Path) -> None:
        """Nothing is created before the first append."""
        self.path = home.absolute() / "ledger"

    def lookup(self, scorer: str, pairs: pl.DataFrame) -> pl.DataFrame:
        """Known scores of `pairs` (text_sha256, image_id): those columns with log_odds and truncated."""
        known = SCHEMA.names()[1:]
        if not self._exists():
            return pl.DataFrame(schema=SCHEMA).select(known)
        wanted = pairs.lazy().select("text_sha256", "image_id").unique()
        return (
            pl.scan_delta(str(self.path))
            .filter(pl.col("scorer") == scorer)
            .join(wanted, on=["text_sha256", "image_id"], how="semi")
            # A run killed after a commit and restarted from an older lookup may have appended a pair twice.
            .unique(["text_sha256", "image_id"], keep="first")
            .select(known)
            .sort("image_id", "text_sha256")
            .collect()
        )

    def append(self, scorer: str, scores: Iterable[tuple[str, str, float, bool]]) -> int:
        """Add scores (text_sha256, image_id, log_odds, truncated); returns their number. Raises StorageError."""
        rows = [(scorer, *score) for score in scores]
        if not rows:
            return 0
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        try:
            write_deltalake(str(self.path), frame.to_arrow(), mode="append", partition_by=["scorer"])
        except (DeltaError, OSError) as error:
            raise StorageError(f"cannot append {len(rows)} scores to the ledger {self.path}: {error}") from error
        return len(rows)

    def compact(self) -> None:
        """Join the small files that appending left; readers of the old files are not disturbed."""
        if self._exists():
            DeltaTable(str(self.path)).optimize.compact()

    def _exists(self) -> bool:
        return DeltaTable.is_deltatable(str(self.path))
