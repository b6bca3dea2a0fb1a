"""Where tables and scores are kept on disk: the table store (Parquet) and the score ledger (Delta)."""

from kg_pipeline.storage.changes import Changes, row_changes
from kg_pipeline.storage.schema_versions import SchemaError, StorageError
from kg_pipeline.storage.score_ledger import ScoreLedger
from kg_pipeline.storage.table_store import MissingTableError, TableStore
from kg_pipeline.storage.upgrading import Upgrade, outdated, upgrade_home

__all__ = [
    "Changes",
    "MissingTableError",
    "SchemaError",
    "ScoreLedger",
    "StorageError",
    "TableStore",
    "Upgrade",
    "outdated",
    "row_changes",
    "upgrade_home",
]
