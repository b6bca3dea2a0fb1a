"""Export as Parquet: a file per label and relationship type, with the columns of the model."""

from datetime import datetime

import polars as pl

from kg_pipeline.graph.export.folder import ExportFolder
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.names import Names
from kg_pipeline.progress import track


def write_parquet(folder: ExportFolder, collection: str, graph: Graph, names: Names, now: datetime) -> int:
    """`nodes/<label>.parquet` with `id` and properties, `relationships/<type>.parquet` with both ends and properties.

    Labels and types without rows have a file too. Nothing is left out; times are no part of it.
    """
    nodes = {**graph.nodes, "Collection": pl.DataFrame({"id": [collection]})}
    files = [(f"nodes/{names[label]}.parquet", rows) for label, rows in nodes.items()]
    files += [(f"relationships/{names[type_]}.parquet", _renamed(rows, names)) for type_, rows in graph.edges.items()]
    for name, rows in track(files, "exporting the graph"):
        with folder.writing(name) as beside:
            rows.write_parquet(beside, compression="zstd")
    return 0


def _renamed(rows: pl.DataFrame, names: Names) -> pl.DataFrame:
    """The rows with the labels of our own nodes as in the database; one of a foreign node is already."""
    changed = [
        pl.when(pl.col(f"{side}_key") == "id")
        .then(pl.col(f"{side}_label").replace(dict(names.renamed)))
        .otherwise(f"{side}_label")
        .alias(f"{side}_label")
        for side in ("start", "end")
    ]
    return rows.with_columns(changed) if names.renamed else rows
