"""The edges of a run in few figures: how many are new or gone, and which are the least certain."""

import polars as pl

from kg_pipeline.candidates import Corpus

EDGE = ["type", "image_id", "text_kind", "text_id"]
WEAKEST = 10


def weakest_edges(evidence: pl.DataFrame, corpus: Corpus) -> pl.DataFrame:
    """The least certain of the edges to passages, by the paths of picture and document."""
    passages = corpus.chunks.select("line_start", text_id="chunk_id", document_id="document_id")
    return (
        evidence.filter(pl.col("kept") & (pl.col("text_kind") == "chunk"))
        .sort("confidence", "log_odds", "image_id", "text_id", nulls_last=True)
        .head(WEAKEST)
        .join(corpus.images.select("image_id", picture="path"), on="image_id", maintain_order="left")
        .join(passages, on=["text_id", "document_id"], maintain_order="left")
        .join(corpus.documents.select("document_id", document="path"), on="document_id", maintain_order="left")
        .select("picture", "document", "line_start", pl.col("score", "confidence", "margin_points").round(2), "rank")
    )


def edge_changes(before: pl.DataFrame | None, after: pl.DataFrame) -> dict[str, int]:
    """How many edges there are, are new and are gone since the last run; nothing of the last run when it is the first.

    An edge is the pair: other figures on the same pair are counted among the rows that changed.
    """
    edges = after.filter("kept").select(EDGE)
    if before is None:
        return {"edges": len(edges)}
    known = before.filter("kept").select(EDGE)
    return {
        "edges": len(edges),
        "edges_before": len(known),
        "edges_added": len(edges.join(known, on=EDGE, how="anti")),
        "edges_removed": len(known.join(edges, on=EDGE, how="anti")),
    }
