"""A graph of two collections in which every query of docs/queries.md finds something."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from embedding_server import bag_of_words
from graph_tables import tables_of

from kg_pipeline.graph import Connection, create_search_indexes, sync, wanted_graph
from kg_pipeline.tables import TABLES

EVIDENCE = (
    ("pump.md", 0, "pump", 9.0),
    ("pump.md", 1, "valve", 7.5),
    ("valve.md", 0, "valve", 6.2),
)
"""The last run changes the weakest of them and adds another."""


def write_queried_graph(connection: Connection, home: Path) -> None:
    """Two runs of `manuals` and one of `plant`, which shares a picture with it; search indexes where there are any."""
    plant = tables_of(
        "plant",
        documents={"plant.md": 1},
        images=("pump",),
        references=(("plant.md", 0, "pump"),),
        evidence=(("plant.md", 0, "pump", 8.0),),
        concepts=(),
        rejected=(),
    )
    sync(connection, "plant", wanted_graph("plant", plant), home=home)
    sync(connection, "manuals", wanted_graph("manuals", _manuals(EVIDENCE)), home=home)
    later = (*EVIDENCE[:2], ("valve.md", 0, "valve", 6.0), ("valve.md", 1, "gauge", 5.5))
    sync(connection, "manuals", wanted_graph("manuals", _manuals(later)), home=home)
    create_search_indexes(connection, len(bag_of_words("")))


def _manuals(evidence: tuple[tuple[str, int, str, float], ...]) -> Mapping[str, pl.DataFrame]:
    tables = tables_of(
        "manuals",
        documents={"pump.md": 3, "valve.md": 2},
        images=("pump", "valve", "logo", "gauge"),
        references=(("pump.md", 0, "pump"), ("valve.md", 0, "logo")),
        evidence=evidence,
        concepts=("Pump", "Seal"),
        rejected=(("valve.md", 1, "logo"),),
        accepted=(("pump.md", 0, "pump"),),
    )
    seal = pl.col("text_id") == tables["concepts"].filter(name="Seal")["concept_id"].item()
    chunks = tables["chunks"].with_columns(text=pl.lit("Error E-07: the motor is too hot. ") + pl.col("text"))
    chinese = pl.when(pl.col("path") == "valve.md").then(pl.lit("zh")).otherwise("language")
    return tables | {
        "chunks": chunks,
        "documents": tables["documents"].with_columns(language=chinese),
        "image_texts": tables["image_texts"].with_columns(text=pl.lit("E-07 ") + pl.col("text")),
        "visual_evidence": tables["visual_evidence"].filter(~seal).with_columns(margin=pl.lit(0.1)),
        "embeddings": TABLES["embeddings"].rows(
            [
                {"text_sha256": sha256, "embedder": "bag of words", "vector": bag_of_words(text)}
                for sha256, text in chunks.select("text_sha256", "text").iter_rows()
            ]
        ),
    }
