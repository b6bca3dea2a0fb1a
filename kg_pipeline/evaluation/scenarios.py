"""Parts of the pictures to look at apart: by language and format of their documents, by kind of picture."""

from collections.abc import Callable, Mapping

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.image_words import MIN_OCR_CONFIDENCE

ALL = "all"


def _of_documents(corpus: Corpus, truth: pl.DataFrame, column: str) -> pl.DataFrame:
    """The property of the documents that show a picture; of several, all of them: `en+zh`."""
    of_document = corpus.documents.select(text_id="document_id", part=pl.col(column).fill_null("unknown"))
    return (
        truth.filter(text_kind="document")
        .join(of_document, on="text_id")
        .group_by("image_id")
        .agg(part=pl.col("part").unique().sort().str.join("+"))
    )


def _of_picture(corpus: Corpus, truth: pl.DataFrame) -> pl.DataFrame:
    """vector, animated, and of all other pictures whether anything is read in them."""
    read = corpus.image_texts.filter(source="ocr").filter(pl.col("confidence") >= MIN_OCR_CONFIDENCE)
    kind = (
        pl.when(pl.col("format") == "SVG")
        .then(pl.lit("vector"))
        .when(pl.col("frames") > 1)
        .then(pl.lit("animated"))
        .when(pl.col("image_id").is_in(read["image_id"].unique().implode()))
        .then(pl.lit("with text"))
        .otherwise(pl.lit("without text"))
    )
    return corpus.images.join(truth, on="image_id", how="semi").select("image_id", part=kind)


FACETS: Mapping[str, Callable[[Corpus, pl.DataFrame], pl.DataFrame]] = {
    "language": lambda corpus, truth: _of_documents(corpus, truth, "language"),
    "format": lambda corpus, truth: _of_documents(corpus, truth, "format"),
    "image_kind": _of_picture,
}


def scenarios(corpus: Corpus, truth: pl.DataFrame, facets: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    """Truth by scenario: `all`, then `facet=part` in order of the facets and parts."""
    found = {ALL: truth}
    for facet in facets:
        parts = FACETS[facet](corpus, truth)
        for part in parts["part"].unique().sort():
            found[f"{facet}={part}"] = truth.join(parts.filter(part=part), on="image_id", how="semi")
    return found
