"""Where tables and scores are kept on disk: the table store (Parquet) and the score ledger (Delta)."""

from kg_pipeline.storage.changes import Changes, row_changes
from kg_pipeline.storage.score_ledger import ScoreLedger
from kg_pipeline.storage.table_store import MissingTableError, StorageError, TableStore

__all__ = ["Changes", "MissingTableError", "ScoreLedger", "StorageError", "TableStore", "row_changes"]
