"""The tables that candidates and evidence are made from, and what both derive from them once."""

import ctypes
import sys
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from kg_pipeline.candidates.fields import Fields
from kg_pipeline.candidates.image_words import picture_texts
from kg_pipeline.candidates.meaning import Meaning, meaning
from kg_pipeline.candidates.sparse import Matrix
from kg_pipeline.candidates.votes import FolderVotes, passage_votes, places_inside
from kg_pipeline.documents.parsed import EMBEDDED
from kg_pipeline.tables import TABLES


@dataclass(eq=False)
class Corpus:
    """One collection's tables, as in kg_pipeline.tables. References count only with status `ok`."""

    documents: pl.DataFrame
    chunks: pl.DataFrame
    references: pl.DataFrame
    image_files: pl.DataFrame
    images: pl.DataFrame
    image_texts: pl.DataFrame
    concepts: pl.DataFrame
    concept_mentions: pl.DataFrame
    embeddings: pl.DataFrame = field(default_factory=TABLES["embeddings"].empty)

    @cached_property
    def fields(self) -> Fields:
        """Scores of pictures on passages and documents, computed for those that are asked for."""
        return Fields(self.documents, self.chunks, self.image_files, self.images, self.image_texts)

    def with_references(self, references: pl.DataFrame) -> "Corpus":
        """The same corpus with other references. The fields, which do not know of references, are computed once."""
        other = replace(self, references=references)
        other.fields, other.meaning = self.fields, self.meaning
        return other

    def forget_texts(self) -> None:
        """Give back the texts of passages, half of what the tables take, once all that is asked of them is known."""
        _ = self.fields, self.meaning
        self.chunks = self.chunks.drop("text", "heading_path")

    def forget_scores(self) -> None:
        """Give back most of what was derived, which is more than the tables; only rows and ids are known from now."""
        self.fields.forget_scores()
        for derived in ("meaning", "passage_votes", "folder_votes", "places_inside"):
            self.__dict__.pop(derived, None)
        _trim()

    @cached_property
    def meaning(self) -> Meaning:
        """Vectors of pictures and passages, as far as the collection has them."""
        fields = self.fields
        return meaning(self.embeddings, picture_texts(fields.images)["text_sha256"], fields.chunk_hashes)

    @cached_property
    def visible_references(self) -> pl.DataFrame:
        """Distinct image_id, chunk_id, document_id of the references that may be looked at."""
        return (
            self.references.filter(pl.col("status") == "ok")
            .select("image_id", "chunk_id", "document_id")
            .drop_nulls()
            .join(self.images, on="image_id", how="semi")
            .join(self.chunks, on=["chunk_id", "document_id"], how="semi")
            .join(self.documents, on="document_id", how="semi")
            .unique()
            .sort("image_id", "document_id", "chunk_id")
        )

    @cached_property
    def places_inside(self) -> Matrix:
        """How near each passage is to where a picture lies in the document's own file, (images, passages).

        Where its bytes lie is no word that a document says of it: it counts as a folder does. Hidden with the rest of
        what is known of a picture when quality is measured.
        """
        lying = self.references.filter(kind=EMBEDDED).select("image_id", "chunk_id").unique()
        places = self.visible_references.join(lying, on=["image_id", "chunk_id"], how="semi", maintain_order="left")
        return places_inside(self.fields, places)

    @cached_property
    def passage_votes(self) -> Matrix:
        """Share of the votes of like pictures for each passage, (images, passages)."""
        return passage_votes(self.fields, self.images, self.visible_references)

    @cached_property
    def folder_votes(self) -> FolderVotes:
        """Share of the references of the folder's other pictures in each document."""
        return FolderVotes(self.fields, self.visible_references)


def _trim() -> None:
    """Have the C library give freed memory back: glibc keeps what lies between what is still used."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
