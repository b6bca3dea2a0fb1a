"""The graph of a collection as files, for those without a server: Parquet, CSV for neo4j-admin, a Cypher script.

Made from the tables alone, as a sync into an empty database would write it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kg_pipeline.graph.export.admin_csv import write_admin_csv
from kg_pipeline.graph.export.columns import write_parquet
from kg_pipeline.graph.export.folder import ExportFolder, exporting
from kg_pipeline.graph.export.script import write_script
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.names import AS_IN_THE_MODEL, Names

__all__ = ["EXPORTS", "Exported", "export_graph"]


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    files: tuple[str, ...]
    rows: Mapping[str, int]
    """Rows by label and type."""
    left_out: int
    """Relationships to nodes of somebody else, which the format cannot hold."""


EXPORTS: Mapping[str, Callable[[ExportFolder, str, Graph, Names, datetime], int]] = {
    "parquet": write_parquet,
    "csv": write_admin_csv,
    "cypher": write_script,
}
"""Writers by name of the format: (folder, collection, graph, names in a database, time of the export) → left out."""


def export_graph(
    collection: str, wanted: Graph, form: str, folder: Path, now: datetime, names: Names = AS_IN_THE_MODEL
) -> Exported:
    """Write the graph of a collection into `folder` in the format `form`, one of EXPORTS.

    An earlier export in that folder is replaced. Raises GraphError: a folder that holds anything else is left alone.
    """
    with exporting(folder, collection, form) as target:
        left_out = EXPORTS[form](target, collection, wanted, names, now)
    return Exported(tuple(target.files), {name: rows for name, rows in wanted.counts().items() if rows}, left_out)
