"""What stands on a card, as plain values made from the tables of a collection."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import polars as pl

from kg_pipeline.documents.formats import ContainerFormat, format_of
from kg_pipeline.images.addresses import parse_uri
from kg_pipeline.images.errors import ImageError
from kg_pipeline.retrieval.answers import Answers, ConceptPictures
from kg_pipeline.retrieval.cards.lexrank import Summariser
from kg_pipeline.retrieval.cards.sentences import Sentence, line_of, split_sentences
from kg_pipeline.retrieval.hits import Hit, Picture
from kg_pipeline.retrieval.telling import body

CONCEPT_PICTURES, SECTION_PICTURES, SENTENCES = 6, 3, 5
SOURCE_BYTES = 20_000_000
"""Of a larger document the line of a sentence is that of its passage."""


@dataclass(frozen=True)
class CardPicture:
    """A picture on a card."""

    picture: Picture
    found_at: Hit | None = None
    """The passage it was taken from, where it was not found to show the concept itself."""


@dataclass(frozen=True)
class ConceptCard:
    """A concept."""

    collection: str
    concept_id: str
    name: str
    aliases: tuple[str, ...]
    description: str | None
    summary: tuple[Sentence, ...]
    pictures: tuple[CardPicture, ...]
    mentions: tuple[Hit, ...]


@dataclass(frozen=True)
class Section:
    """A passage of a document, with its best pictures."""

    hit: Hit
    heading: str
    level: int
    """1 for the outermost heading; 0 without one."""
    text: str
    pictures: tuple[CardPicture, ...]
    continues: bool = False
    """Whether it stands under the same heading as the passage before it."""


@dataclass(frozen=True)
class Content:
    """A line of a table of contents."""

    chunk_id: str
    heading: str
    level: int
    illustrated: bool


@dataclass(frozen=True)
class CardPage:
    """The passages of a page, slide or sheet; of the whole document where it has none."""

    number: int | None
    kind: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class DocumentCard:
    """A document: its illustrated index."""

    collection: str
    path: str
    title: str
    uri: str | None
    language: str | None
    summary: tuple[Sentence, ...]
    sections: tuple[Section, ...]

    @property
    def pages(self) -> list[CardPage]:
        """The sections page by page."""
        form = format_of(self.path)
        kind = form.page if isinstance(form, ContainerFormat) else "page"
        return [CardPage(number, kind, tuple(of)) for number, of in groupby(self.sections, lambda each: each.hit.page)]

    @property
    def illustrated(self) -> int:
        """Sections with a picture."""
        return sum(bool(section.pictures) for section in self.sections)

    @property
    def contents(self) -> list[Content]:
        """The headings; one is illustrated where any of its passages is."""
        found: list[Content] = []
        for section in self.sections:
            pictured = bool(section.pictures)
            if section.continues and found:
                found[-1] = replace(found[-1], illustrated=found[-1].illustrated or pictured)
            elif section.heading:
                found.append(Content(section.hit.chunk_id, section.heading, section.level, pictured))
        return found


class Cards:
    """Makes the cards of one collection."""

    def __init__(self, answers: Answers, sentences: int = SENTENCES) -> None:
        """`sentences`: of a summary."""
        self.collection, self.tables = answers.collection, answers.tables
        self._answers, self._sentences = answers, sentences
        self._sources: dict[str, tuple[str, ...]] = {}

    def concept(self, name: str, pictures: int = CONCEPT_PICTURES) -> ConceptCard:
        """`name`: also an alias or a concept_id. Raises RetrievalError."""
        found = self._answers.concept(name)
        topic = " ".join([found.name, *found.aliases, found.description or ""])
        return ConceptCard(
            self.collection,
            found.concept_id,
            found.name,
            found.aliases,
            found.description,
            self._summary(found.mentions, topic),
            tuple(_concept_pictures(found))[:pictures],
            found.mentions,
        )

    def document(self, path: str, pictures: int = SECTION_PICTURES) -> DocumentCard:
        """`path`: also the end of it, or the title. Raises RetrievalError."""
        found = self._answers.document(path)
        languages = dict(self.tables["documents"].select("path", "language").iter_rows())
        shown = _once_a_page(found.sections)
        levels = dict(self.tables["chunks"].select("chunk_id", pl.col("heading_path").list.len()).iter_rows())
        sections = tuple(
            Section(
                hit,
                (hit.heading or "").rpartition(" > ")[2],
                levels.get(hit.chunk_id) or 0,
                body(hit),
                tuple(CardPicture(picture) for picture in shown[hit.chunk_id][:pictures]),
                continues=before is not None and before.heading is not None and before.heading == hit.heading,
            )
            for before, hit in zip([None, *found.sections], found.sections, strict=False)
        )
        return DocumentCard(
            self.collection,
            found.document,
            found.title or found.document,
            found.uri,
            languages.get(found.document),
            self._summary(found.sections, ""),
            sections,
        )

    def concepts(self) -> list[str]:
        """Ids of all concepts with a name, by name."""
        return self.tables["concepts"].drop_nulls("name").sort("name", "concept_id")["concept_id"].to_list()

    def documents(self) -> list[str]:
        """Ids of all documents with passages, by path."""
        written = self.tables["documents"].join(self.tables["chunks"], on="document_id", how="semi")
        return written.sort("path")["document_id"].to_list()

    def _summary(self, hits: Iterable[Hit], topic: str) -> tuple[Sentence, ...]:
        found = [(hit, text) for hit in hits for text in split_sentences(body(hit))]
        places = self._summariser.chosen([text for _, text in found], self._sentences, topic)
        return tuple(self._placed(*found[place]) for place in places)

    def _placed(self, hit: Hit, text: str) -> Sentence:
        line = hit.line
        if line is not None and hit.document_uri:
            if hit.document_uri not in self._sources:
                self._sources[hit.document_uri] = _source(hit.document_uri)
            source = self._sources[hit.document_uri]
            line = line_of(text, source, line, hit.line_end or line)
        return Sentence(text, hit.document, line, hit.page, hit.chunk_id)

    @cached_property
    def _summariser(self) -> Summariser:
        return Summariser(self.tables["chunks"].sort("chunk_id")["text"])


def _once_a_page(sections: Sequence[Hit]) -> dict[str, tuple[Picture, ...]]:
    """The pictures of each passage, none twice on a page: where the document shows it itself, else where it is surest.

    A document without pages is read from top to bottom: there a picture may come back further down.
    """
    best: dict[tuple[int | None, str], tuple[float, float, str]] = {}
    for hit in sections:
        for picture in hit.pictures:
            worth = (picture.strength, picture.confidence or 0.0, hit.chunk_id)
            known = best.get((hit.page, picture.image_id))
            if known is None or worth[:2] > known[:2]:
                best[hit.page, picture.image_id] = worth
    found: dict[str, tuple[Picture, ...]] = defaultdict(tuple)
    for hit in sections:
        found[hit.chunk_id] = tuple(
            picture
            for picture in hit.pictures
            if hit.page is None or best[hit.page, picture.image_id][2] == hit.chunk_id
        )
    return found


def _concept_pictures(found: ConceptPictures) -> Iterable[CardPicture]:
    """Those found to show it; then those of the passages that name it: named in the caption, in the heading, surest."""
    yield from (CardPicture(picture) for picture in found.pictures)
    seen = {picture.image_id for picture in found.pictures}
    names = [name.casefold() for name in (found.name, *found.aliases) if name]

    def named(text: str | None) -> bool:
        return any(name in (text or "").casefold() for name in names)

    def order(other: tuple[Picture, Hit]) -> tuple[bool, bool, float, float]:
        picture, hit = other
        return not named(picture.caption), not named(hit.heading), -picture.strength, -(picture.confidence or 0.0)

    others = [(picture, hit) for hit in found.mentions for picture in hit.pictures]
    for picture, hit in sorted(others, key=order):
        if picture.image_id not in seen:
            seen.add(picture.image_id)
            yield CardPicture(picture, hit)


def _source(uri: str) -> tuple[str, ...]:
    """Lines of a document of text; none where it cannot be read, then the line of the passage has to do."""
    try:
        file = Path(parse_uri(uri).file)
        if not file.is_file() or file.stat().st_size > SOURCE_BYTES:
            return ()
        return tuple(file.read_text(encoding="utf-8", errors="replace").splitlines())
    except (OSError, ImageError):
        return ()
