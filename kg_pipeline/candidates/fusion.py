"""Reciprocal rank fusion of the strategies, the caps and quotas, and the pairs of visible references."""

import polars as pl

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.config import Scoring

RRF_K = 60  # Cormack, Clarke, Büttcher 2009; flat enough that a single strategy cannot decide alone
PASSAGE_SHARE, SPREAD_SHARE = 0.25, 0.5
"""Of the proposals of an image: best passages wherever they stand, then at most `PER_DOCUMENT` of any document."""
PER_DOCUMENT = 15
REFERENCE = "reference"


def fuse(proposals: pl.DataFrame) -> pl.DataFrame:
    """image_id, text_kind, text_id, strategies, fused_score, passage_rank; one row per proposed pair.

    `proposals` has the columns of a strategy and `strategy`.
    """
    return (
        proposals.group_by("image_id", "text_kind", "text_id")
        .agg(
            pl.col("strategy").unique().sort().alias("strategies"),
            (1 / (RRF_K + pl.col("rank").sort())).sum().round(9).alias("fused_score"),
            pl.col("rank").filter(pl.col("strategy") == "lexical_passage").min().alias("passage_rank"),
        )
        .sort("image_id", "text_kind", "fused_score", "text_id", descending=[False, False, True, False])
    )


def cap(fused: pl.DataFrame, corpus: Corpus, scoring: Scoring) -> pl.DataFrame:
    """`fused` with the columns by_image and by_text: whether the pair survives the cap of its image, of its text."""
    document = corpus.chunks.select(text_id="chunk_id", document_id="document_id")
    order = pl.int_range(pl.len())
    by_passage = pl.col("passage_rank").fill_null(scoring.proposals + 1) <= int(PASSAGE_SHARE * scoring.proposals)
    return (
        fused.join(document, on="text_id", how="left", maintain_order="left")
        .with_columns(spread=order.over("image_id", "document_id") < PER_DOCUMENT)
        .with_columns(spread=pl.col("spread") & ~by_passage)
        .with_columns(nth_spread=pl.col("spread").cum_sum().over("image_id"))
        .with_columns(
            tier=pl.when(by_passage)
            .then(0)
            .when(pl.col("spread") & (pl.col("nth_spread") <= int(SPREAD_SHARE * scoring.proposals)))
            .then(1)
            .otherwise(2)
        )
        .with_columns(
            by_image=pl.struct("tier", order.over("image_id")).rank("ordinal").over("image_id") <= scoring.proposals,
            by_text=pl.col("fused_score").rank("ordinal", descending=True).over("text_id") <= scoring.images_per_text,
        )
        .drop("document_id", "spread", "nth_spread", "tier", "passage_rank")
    )


def add_references(pairs: pl.DataFrame, corpus: Corpus) -> pl.DataFrame:
    """`pairs` with strategy `reference` on the pair of each visible reference; missing ones are added.

    They get a score that way; the fused score, which orders candidates, knows nothing of them.
    """
    references = corpus.visible_references.select(
        "image_id", text_kind=pl.lit("chunk"), text_id="chunk_id", referenced=pl.lit(True)
    ).unique()
    return (
        pairs.join(references, on=["image_id", "text_kind", "text_id"], how="full", coalesce=True)
        .with_columns(
            fused_score=pl.col("fused_score").fill_null(0.0),
            strategies=pl.when(pl.col("referenced"))
            .then(pl.concat_list(pl.col("strategies").fill_null([]), pl.lit([REFERENCE])))
            .otherwise("strategies"),
        )
        .drop("referenced")
    )
