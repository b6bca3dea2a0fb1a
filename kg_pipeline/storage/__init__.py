"""Where tables and scores are kept on disk: the table store (Parquet) and the score ledger (Delta)."""

from kg_pipeline.storage.score_ledger import ScoreLedger
from kg_pipeline.storage.table_store import MissingTableError, StorageError, TableStore

__all__ = ["MissingTableError", "ScoreLedger", "StorageError", "TableStore"]
