"""Blocking of concepts: those named in the picture itself, and those mentioned in its candidate passages."""

from collections.abc import Callable

import polars as pl

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.fusion import RRF_K
from kg_pipeline.candidates.image_words import ImageWords
from kg_pipeline.concepts import find_mentions

IN_IMAGE, IN_PASSAGE = "concept_in_image", "concept_passage"
PASSAGES = 20
"""Best candidate passages of an image whose concepts are proposed; further down they are any concept at all."""


def propose_concepts(corpus: Corpus, chunk_pairs: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Fused pairs of image and concept: image_id, text_kind, text_id, strategies, fused_score.

    `chunk_pairs` has image and text (rows of the corpus's fields) and fused_score.
    """
    if corpus.concepts.is_empty():
        return pl.DataFrame(schema=_FUSED)
    fields = corpus.fields
    ordered = chunk_pairs.filter(pl.col("fused_score") > 0).with_columns(
        order=pl.Series(fields.chunk_order[chunk_pairs.filter(pl.col("fused_score") > 0)["text"].to_numpy()])
    )
    best = (
        ordered.sort("image", "fused_score", "order", descending=[False, True, False])
        .with_columns(nth=pl.int_range(1, pl.len() + 1).over("image"))
        .filter(pl.col("nth") <= PASSAGES)
    )
    best = best.select(
        fields.image_ids.gather(best["image"]).alias("image_id"),
        fields.chunk_ids.gather(best["text"]).alias("text_id"),
        "nth",
    )
    mentioned = (
        best.join(corpus.concept_mentions, left_on="text_id", right_on="chunk_id")
        .group_by("image_id", "concept_id")
        .agg(pl.col("nth").min())
        .with_columns(strategy=pl.lit(IN_PASSAGE))
    )
    pictures = corpus.images["image_id"]
    in_file_name = named_in_file_names(corpus, pictures).with_columns(nth=1)
    in_picture = _read_in_pictures(corpus, pictures).with_columns(nth=2)
    in_image = (
        pl.concat([in_file_name, in_picture])
        .group_by("image_id", "concept_id")
        .agg(pl.col("nth").min())
        .with_columns(strategy=pl.lit(IN_IMAGE))
    )
    return (
        pl.concat([mentioned, in_image], how="vertical_relaxed")
        .sort("strategy", "image_id", "nth", "concept_id")
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("strategy", "image_id"))
        .filter(pl.col("rank") <= limit)
        .group_by("image_id", pl.lit("concept").alias("text_kind"), text_id="concept_id")
        .agg(
            pl.col("strategy").unique().sort().alias("strategies"),
            (1 / (RRF_K + pl.col("rank").sort())).sum().round(9).alias("fused_score"),
        )
        .sort("image_id", "text_id")
    )


def named_in_file_names(corpus: Corpus, image_ids: pl.Series) -> pl.DataFrame:
    """image_id, concept_id: concepts named in the pictures' file names and telling folders."""
    return _named(corpus, image_ids, _file_names)


def _read_in_pictures(corpus: Corpus, image_ids: pl.Series) -> pl.DataFrame:
    return _named(corpus, image_ids, lambda picture: "\n".join(picture.lines))


def _named(corpus: Corpus, image_ids: pl.Series, text: Callable[[ImageWords], str]) -> pl.DataFrame:
    fields = corpus.fields
    pictures = [fields.images[fields.image_row[image]] for image in image_ids.unique().sort()]
    texts = pl.DataFrame(
        {"image_id": [picture.image_id for picture in pictures], "text": [text(picture) for picture in pictures]},
        schema={"image_id": pl.String(), "text": pl.String()},
    )
    return find_mentions(corpus.concepts, texts, "image_id").select("image_id", "concept_id").unique().sort(pl.all())


_FUSED = {
    "image_id": pl.String(),
    "text_kind": pl.String(),
    "text_id": pl.String(),
    "strategies": pl.List(pl.String()),
    "fused_score": pl.Float64(),
}


def _file_names(picture: ImageWords) -> str:
    """Names and telling folders as words: `can-bus_wiring` reads `can bus wiring`."""
    return " \n ".join(name.replace("_", " ").replace("-", " ") for name in (*picture.names, picture.folder_text))
