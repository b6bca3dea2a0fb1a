"""The orphan report while references are hidden: hidden pictures should come back as suggestions."""

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.evaluation.hidden_run import Protocol, hiding_passes
from kg_pipeline.orphans import find_orphans


def suggested(corpus: Corpus, protocol: Protocol, evidence: pl.DataFrame) -> pl.DataFrame:
    """What the orphan report of each pass suggests for the pictures it hid: fold, image_id, document_id, rank.

    `evidence`: that of a HiddenRun of this protocol. A picture of several files counts once, by its best rank.
    """
    parts = []
    for fold, pictures, hidden in hiding_passes(corpus, protocol):
        orphans = find_orphans(
            hidden.image_files, hidden.images, hidden.references, evidence.filter(fold=fold), hidden.documents
        )
        own = orphans.filter(pl.col("image_id").is_in(pictures.implode())).drop_nulls("suggestion_rank")
        parts.append(own.with_columns(fold=pl.lit(fold, pl.Int64())))
    documents = corpus.documents.select("document_id", best_document_path="path")
    return (
        pl.concat(parts)
        .sort("fold", "suggestion_rank")
        .unique(["fold", "image_id"], keep="first", maintain_order=True)
        .join(documents, on="best_document_path", how="left", maintain_order="left")
        .select("fold", "image_id", "document_id", rank="suggestion_rank")
    )
