"""Cards on disk: one page that stands alone, or a site of all with an index."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kg_pipeline.progress import track
from kg_pipeline.reports import ReportError
from kg_pipeline.reports.page import render, write_page
from kg_pipeline.retrieval.cards.content import CardPicture, Cards, ConceptCard, DocumentCard
from kg_pipeline.retrieval.cards.markdown import concept_markdown, document_markdown
from kg_pipeline.retrieval.cards.names import file_name
from kg_pipeline.retrieval.cards.pictures import FOLDER, PictureFiles, Thumbnail
from kg_pipeline.retrieval.cards.prose import inline, prose
from kg_pipeline.retrieval.cards.words import ENGLISH, Words, words_of, words_of_name
from kg_pipeline.retrieval.hits import Hit, Picture
from kg_pipeline.retrieval.telling import place

HERE = Path(__file__).parent
STYLES = ("gallery.css", "cards.css")
CONCEPTS, DOCUMENTS = "concepts", "documents"
MARK = ".kg-pipeline-cards"
"""Lies in a folder that a site was written to, so that an older site may be replaced and nothing else."""
FROM_FILES = "'self' file:"
"""Where pages of a site take pictures from, opened from disk or served; no other host is ever asked."""


@dataclass(frozen=True)
class Written:
    """The files of a card."""

    html: Path
    markdown: Path


@dataclass(frozen=True)
class Entry:
    """A card in the index of a site."""

    href: str
    name: str
    also: str
    about: str
    picture: str | None


def write_concept(card: ConceptCard, output: Path, thumbnail: Thumbnail) -> Written:
    """The card as one HTML file that holds its pictures, and as Markdown with pictures beside it.

    Raises ReportError.
    """
    files, name = PictureFiles(output, thumbnail), file_name(card.name, card.concept_id)
    html = _concept_page(card, files.data)
    return _write(output / name, html, concept_markdown(card, files))


def write_document(card: DocumentCard, output: Path, thumbnail: Thumbnail) -> Written:
    """The same of a document."""
    files, name = PictureFiles(output, thumbnail), _document_name(card.path)
    html = _document_page(card, files.data)
    return _write(output / name, html, document_markdown(card, files))


def write_site(cards: Cards, output: Path, thumbnail: Thumbnail, concept_pictures: int, section_pictures: int) -> Path:
    """Every concept and every document as a page, an index that searches them; returns the index.

    What an earlier site left is replaced. Raises ReportError, also when `output` holds anything else.
    """
    _check_folder(output)
    files = PictureFiles(output, thumbnail)
    written: set[Path] = set()
    concepts, documents = [], []
    for concept_id in track(cards.concepts(), "writing cards of concepts"):
        concept = cards.concept(concept_id, concept_pictures)
        name = f"{CONCEPTS}/{file_name(concept.name, concept.concept_id)}"
        page = _concept_page(concept, lambda picture: _up(files.path(picture)), site=cards.collection)
        written |= set(_write(output / name, page, concept_markdown(concept, files, "../")).__dict__.values())
        concepts.append(_concept_entry(concept, f"{name}.html", files))
    for document_id in track(cards.documents(), "writing cards of documents"):
        document = cards.document(document_id, section_pictures)
        name = f"{DOCUMENTS}/{_document_name(document.path)}"
        page = _document_page(document, lambda picture: _up(files.path(picture)), site=cards.collection)
        written |= set(_write(output / name, page, document_markdown(document, files, "../")).__dict__.values())
        documents.append(_document_entry(document, f"{name}.html", files))
    index = render(
        "index.html.j2",
        STYLES,
        "index.js",
        folder=HERE,
        pictures_from=FROM_FILES,
        collection=cards.collection,
        concepts=concepts,
        documents=documents,
        words=ENGLISH,
    )
    write_page(output / "index.html", index)
    written |= {output / path for path in files.written.values() if path}
    _sweep(output, written)
    return output / "index.html"


def _concept_page(card: ConceptCard, source: Callable[[Picture], str | None], site: str | None = None) -> bytes:
    return _render("concept.html.j2", card, words_of_name(card.name), source, site)


def _document_page(card: DocumentCard, source: Callable[[Picture], str | None], site: str | None = None) -> bytes:
    return _render("document.html.j2", card, words_of(card.language), source, site)


def _render(
    template: str, card: object, words: Words, source: Callable[[Picture], str | None], site: str | None
) -> bytes:
    content: dict[str, Any] = {
        "card": card,
        "site": site,
        "source": source,
        "words": words,
        "place": place,
        "prose": prose,
        "inline": inline,
        "link": _link,
        "document_page": _document_link if site else None,
    }
    pictures_from = FROM_FILES if site else "data:"
    return render(template, STYLES, None, folder=HERE, pictures_from=pictures_from, **content)


def _document_link(path: str, chunk_id: str) -> str:
    return f"../{DOCUMENTS}/{quote(_document_name(path))}.html#{anchor(chunk_id)}"


def anchor(chunk_id: str) -> str:
    """The id of a section on the page of its document."""
    return f"c-{chunk_id[:16]}"


def _link(card: CardPicture | Hit) -> str | None:
    """The original, where a browser can open it."""
    uri = card.picture.uri if isinstance(card, CardPicture) else card.document_uri
    return uri if uri and uri.startswith("file://") else None


def _document_name(path: str) -> str:
    return file_name(path.rpartition("/")[2], path)


def _concept_entry(card: ConceptCard, href: str, files: PictureFiles) -> Entry:
    about = _count(len(card.mentions), "passage")
    if card.pictures:
        about = f"{_count(len(card.pictures), 'picture')} · {about}"
    return Entry(quote(href), card.name, ", ".join(card.aliases), about, _first([card.pictures], files))


def _document_entry(card: DocumentCard, href: str, files: PictureFiles) -> Entry:
    about = _count(len(card.sections), "section")
    if card.illustrated:
        about = f"{about} · {card.illustrated} illustrated"
    picture = _first([section.pictures for section in card.sections], files)
    return Entry(quote(href), card.title, card.path, about, picture)


def _first(groups: Iterable[tuple[CardPicture, ...]], files: PictureFiles) -> str | None:
    shown = (files.path(each.picture) for pictures in groups for each in pictures)
    return next(filter(None, shown), None)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _up(path: str | None) -> str | None:
    return f"../{path}" if path else None


def _write(stem: Path, html: bytes, markdown: str) -> Written:
    # Not with_suffix: a name may hold a point.
    pages = Written(stem.with_name(f"{stem.name}.html"), stem.with_name(f"{stem.name}.md"))
    write_page(pages.html, html)
    write_page(pages.markdown, markdown.encode("utf-8", "replace"))
    return pages


def _check_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()) and not (output / MARK).exists():
            raise ReportError(f"{output} holds files that are no cards: give a new or empty folder, or an earlier site")
        (output / MARK).touch()
    except OSError as error:
        raise ReportError(f"cannot write cards to {output}: {error.strerror or error}") from error


def _sweep(output: Path, written: set[Path]) -> None:
    """Remove the pages and pictures of an earlier site that this one has not."""
    for folder in (CONCEPTS, DOCUMENTS, FOLDER):
        for path in (output / folder).glob("*"):
            if path not in written:
                path.unlink()
