"""What people said, found again in today's texts: bound to document and text, so that it outlives re-chunking."""

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.evidence.selection import text_hashes

VERDICT_KEY = ["image_id", "text_kind", "text_id"]


def current_verdicts(corpus: Corpus, verdicts: pl.DataFrame) -> pl.DataFrame:
    """image_id, text_kind, text_id, text_sha256, verdict, by of the verdicts whose image and text still exist."""
    chunks = corpus.chunks.select(pl.lit("chunk").alias("text_kind"), "document_id", text_id="chunk_id")
    concepts = corpus.concepts.select(
        pl.lit("concept").alias("text_kind"), pl.col("concept_id").alias("document_id"), text_id="concept_id"
    )
    texts = pl.concat([chunks, concepts]).join(text_hashes(corpus), on=["text_kind", "text_id"])
    return (
        verdicts.join(texts, on=["text_kind", "document_id", "text_sha256"])
        .join(corpus.images, on="image_id", how="semi")
        .select(*VERDICT_KEY, "text_sha256", "verdict", "by")
        .unique(VERDICT_KEY, keep="last", maintain_order=True)
        .sort(VERDICT_KEY)
    )
