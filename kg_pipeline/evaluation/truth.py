"""What the references say is right: the passages, documents and concepts that each picture belongs to."""

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.concepts import find_mentions

KEY = ["image_id", "text_kind", "text_id"]
TRUTH = pl.Schema({"image_id": pl.String(), "text_kind": pl.String(), "text_id": pl.String(), "strict": pl.Boolean()})
SAYS = ("ok", "hidden")
"""Statuses of references that are truth: `hidden` are those that a run was told to leave out."""

FEW_DOCUMENTS = 5


def truth_of(corpus: Corpus) -> pl.DataFrame:
    """Right answers of every picture that a document embeds: image_id, text_kind, text_id, strict; sorted by key.

    text_kind `chunk`: the passages that hold a reference (strict) and their direct neighbours in the document (not
    strict). `document`: their documents. `concept`: the concepts named in such a passage or in a heading above it.
    Copies of the same bytes are one picture. Not asked for: decorative pictures, and those that most documents show,
    such as the logo of a page template.
    """
    shown = (
        corpus.references.filter(pl.col("status").is_in(SAYS))
        .select("image_id", "chunk_id", "document_id")
        .drop_nulls()
        .unique()
        .join(corpus.images.filter(pl.col("role") == "content"), on="image_id", how="semi")
        .join(corpus.chunks, on=["chunk_id", "document_id"], how="semi")
        .join(corpus.documents, on="document_id", how="semi")
    )
    holders = shown.filter(pl.col("document_id").n_unique().over("image_id") <= most_documents(corpus))
    strict = _answers(holders, "chunk", "chunk_id", strict=True)
    near = _answers(_neighbours(holders, corpus.chunks), "chunk", "chunk_id", strict=False)
    documents = _answers(holders, "document", "document_id", strict=True)
    concepts = _answers(holders.join(_named(corpus), on="chunk_id"), "concept", "concept_id", strict=True)
    return pl.concat([strict, near.join(strict, on=KEY, how="anti"), documents, concepts]).sort(KEY)


def most_documents(corpus: Corpus) -> int:
    """A picture in more documents than this belongs to a template: in more than half, where there are some."""
    return max(len(corpus.documents) // 2, FEW_DOCUMENTS)


def asked(truth: pl.DataFrame, text_kind: str) -> pl.Series:
    """Ids of the pictures that have a right answer of this kind, sorted."""
    return truth.filter("strict", text_kind=text_kind)["image_id"].unique().sort()


def with_truth(evidence: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """`evidence` with the columns right (it is a right answer) and near (it is one, or a direct neighbour of one)."""
    known = truth.select(*KEY, right="strict", near=pl.lit(True))
    joined = evidence.join(known, on=KEY, how="left", maintain_order="left")
    return joined.with_columns(pl.col("right", "near").fill_null(False))


def _answers(frame: pl.DataFrame, kind: str, column: str, *, strict: bool) -> pl.DataFrame:
    answers = frame.select("image_id", text_kind=pl.lit(kind), text_id=column, strict=pl.lit(strict)).unique()
    return answers.cast(TRUTH)


def _neighbours(holders: pl.DataFrame, chunks: pl.DataFrame) -> pl.DataFrame:
    """image_id, chunk_id of the passages right before and after those of `holders`."""
    places = chunks.select("chunk_id", "document_id", "index")
    beside = holders.join(places, on=["chunk_id", "document_id"]).with_columns(
        index=pl.concat_list(pl.col("index") - 1, pl.col("index") + 1)
    )
    return beside.explode("index").drop("chunk_id").join(places, on=["document_id", "index"])


def _named(corpus: Corpus) -> pl.DataFrame:
    """chunk_id, concept_id of the concepts named in a passage or in a heading above it."""
    headings = corpus.chunks.select("chunk_id", text=pl.col("heading_path").list.join("\n").fill_null(""))
    in_headings = find_mentions(corpus.concepts, headings, "chunk_id")
    named = [frame.select("chunk_id", "concept_id") for frame in (corpus.concept_mentions, in_headings)]
    return pl.concat(named).unique()
