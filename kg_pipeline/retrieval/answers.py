"""Answers about one collection besides search: pictures of a concept, passages of a picture, orphans, a document."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from kg_pipeline.retrieval.hits import Hit, Picture, best_first, with_pictures
from kg_pipeline.retrieval.lookup import find_concept, find_document, find_picture
from kg_pipeline.retrieval.passages import passage_rows
from kg_pipeline.retrieval.shown import Tables, pictures_from, pictures_of_concepts, pictures_of_passages

READ = ("ocr", "svg", "manifest", "description")
"""Sources of image_texts that say what is in a picture."""


@dataclass(frozen=True)
class Summary:
    """What a collection holds."""

    collection: str
    documents: int
    passages: int
    pictures: int
    concepts: int
    orphans: int


@dataclass(frozen=True)
class ConceptPictures:
    """A concept, the pictures that were found to show it, best first, and where it is mentioned."""

    collection: str
    concept_id: str
    name: str
    aliases: tuple[str, ...]
    description: str | None
    pictures: tuple[Picture, ...]
    mentions: tuple[Hit, ...]
    """Passages that name it, in the order of documents, with their own pictures."""


@dataclass(frozen=True)
class PicturePassages:
    """A picture, what can be read in it, and the passages that it stands at or was found to show."""

    collection: str
    image_id: str
    path: str
    uri: str | None
    text: str
    concepts: tuple[str, ...]
    orphan_reason: str | None
    passages: tuple[Hit, ...]
    """Each with this picture alone, best first."""


@dataclass(frozen=True)
class Orphan:
    """An image file that no document uses, and the passage that most wants it."""

    path: str
    image_id: str | None
    uri: str | None
    reason: str
    duplicate_of: str | None
    confidence: float | None
    passage: Hit | None


@dataclass(frozen=True)
class Outline:
    """A document passage by passage, in reading order, each with its pictures."""

    collection: str
    document: str
    title: str | None
    uri: str | None
    sections: tuple[Hit, ...]


class Answers:
    """What the tables of one collection say; what several answers need is derived once."""

    def __init__(self, collection: str, tables: Tables) -> None:
        """`tables`: as Library.tables gives them."""
        self.collection, self.tables = collection, tables

    def summary(self) -> Summary:
        """How much there is of everything."""
        return Summary(
            self.collection,
            documents=self.tables["documents"].filter(pl.col("format") != "folder").height,
            passages=self.tables["chunks"].height,
            pictures=self.tables["images"].height,
            concepts=self.tables["concepts"].drop_nulls("name").height,
            orphans=self.tables["orphan_images"].height,
        )

    def concept(self, name: str) -> ConceptPictures:
        """Pictures and mentions of the concept of that name, alias or concept_id. Raises RetrievalError."""
        concept = find_concept(self.tables["concepts"], name)
        of_concept = self._of_concepts.filter(concept_id=concept["concept_id"])
        mentioned = self.tables["concept_mentions"].filter(concept_id=concept["concept_id"])
        return ConceptPictures(
            self.collection,
            concept["concept_id"],
            concept["name"],
            tuple(concept["aliases"] or ()),
            concept["description"],
            best_first(pictures_from(of_concept.iter_rows(named=True))),
            tuple(self.hits(mentioned)),
        )

    def picture(self, picture: str) -> PicturePassages:
        """Passages of the picture with that path, end of a path, uri or image_id. Raises RetrievalError."""
        file = find_picture(self.tables["image_files"], picture)
        mine = self._of_passages.filter(image_id=file["image_id"])
        hits = self.hits(mine, mine)
        read = self.tables["image_texts"].filter(pl.col("source").is_in(READ), image_id=file["image_id"])
        shown = self._of_concepts.filter(image_id=file["image_id"]).sort("confidence", descending=True, nulls_last=True)
        names = shown.join(self.tables["concepts"], on="concept_id", maintain_order="left")["name"]
        orphan = self.tables["orphan_images"].filter(path=file["path"])
        return PicturePassages(
            self.collection,
            file["image_id"],
            file["path"],
            file["uri"],
            "\n".join(read["text"]),
            tuple(names),
            orphan["reason"].item() if len(orphan) else None,
            tuple(sorted(hits, key=lambda hit: (-hit.visual, -(hit.pictures[0].confidence or 0), hit.document))),
        )

    def orphans(self, reason: str | None = None) -> list[Orphan]:
        """Suggestions first, most promising first, then by path."""
        rows = self.tables["orphan_images"].sort("suggestion_rank", "path", nulls_last=True)
        rows = rows.filter(reason=reason) if reason else rows
        passages = {hit.chunk_id: hit for hit in self.hits(rows.select(chunk_id="best_chunk_id").drop_nulls())}
        uris = dict(self.tables["image_files"].select("path", "uri").iter_rows())
        return [
            Orphan(
                row["path"],
                row["image_id"],
                uris.get(row["path"]),
                row["reason"],
                row["duplicate_of"],
                row["confidence"],
                passages.get(row["best_chunk_id"]),
            )
            for row in rows.iter_rows(named=True)
        ]

    def document(self, document: str) -> Outline:
        """The document with that path, end of a path, title or document_id. Raises RetrievalError."""
        found = find_document(self.tables["documents"], document)
        chunks = self.tables["chunks"].filter(document_id=found["document_id"]).sort("index")
        hits = {hit.chunk_id: hit for hit in self.hits(chunks)}
        sections = tuple(hits[chunk] for chunk in chunks["chunk_id"] if chunk in hits)
        return Outline(self.collection, found["path"], found["title"], found["uri"], sections)

    def hits(self, chunks: pl.DataFrame, shown: pl.DataFrame | None = None) -> list[Hit]:
        """The passages `chunks` (column chunk_id) with their pictures, in the order of documents and lines.

        `shown`: pictures as shown.pictures_of_passages gives them, when not all are wanted.
        """
        shown = self._of_passages if shown is None else shown
        of_chunk = shown.join(chunks, on="chunk_id", how="semi").partition_by("chunk_id", as_dict=True)
        rows = self._passages.join(chunks, on="chunk_id", how="semi").sort(
            "document", "line", "chunk_id", nulls_last=True
        )
        return [
            with_pictures(_hit(row), pictures_from(of_chunk[key].iter_rows(named=True)) if key in of_chunk else ())
            for row in rows.iter_rows(named=True)
            for key in [(row["chunk_id"],)]
        ]

    @cached_property
    def _of_passages(self) -> pl.DataFrame:
        return pictures_of_passages(self.tables)

    @cached_property
    def _of_concepts(self) -> pl.DataFrame:
        return pictures_of_concepts(self.tables)

    @cached_property
    def _passages(self) -> pl.DataFrame:
        return passage_rows(self.collection, self.tables)


def _hit(row: Mapping[str, Any]) -> Hit:
    """A row of passages.passage_rows; nobody asked, so it has no relevance."""
    return Hit(**{name: row[name] for name in row if name not in ("headings", "text_sha256")}, relevance=0.0)
