"""Cards as Markdown, for a wiki or a chat."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from kg_pipeline.retrieval.cards.content import CardPicture, ConceptCard, DocumentCard
from kg_pipeline.retrieval.cards.pictures import PictureFiles
from kg_pipeline.retrieval.cards.sentences import Sentence
from kg_pipeline.retrieval.telling import place

_SIGNS = re.compile(r"([\\`*_\[\]<>#|~])")


def concept_markdown(card: ConceptCard, files: PictureFiles, up: str = "") -> str:
    """`up` leads from the page to the folder of `files`."""
    parts = [f"# {plain(card.name)}"]
    parts += [f"*{plain(', '.join(card.aliases))}*"] if card.aliases else []
    parts += [plain(card.description)] if card.description else []
    parts += ["\n".join(_sentences(card.summary))] if card.summary else []
    parts += [_picture(picture, files, up) for picture in card.pictures]
    if card.mentions:
        parts += [
            "## Mentioned in",
            "\n".join(f"- {plain(place(hit))} {plain(hit.heading or '')}" for hit in card.mentions),
        ]
    return "\n\n".join(parts) + "\n"


def document_markdown(card: DocumentCard, files: PictureFiles, up: str = "") -> str:
    """The same of a document."""
    parts = [f"# {plain(card.title)}", f"`{card.path}`"]
    parts += ["\n".join(_sentences(card.summary))] if card.summary else []
    for section in card.sections:
        level = min(max(section.level, 1) + 1, 6)
        parts += [f"{'#' * level} {plain(section.heading or place(section.hit))}"]
        parts += [_picture(picture, files, up) for picture in section.pictures]
        parts += [section.text] if section.text else []
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text on one line, in which no sign is markup."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def said(picture: CardPicture) -> str:
    """How it is known that it belongs there."""
    if picture.found_at:
        return f"at {place(picture.found_at)}"
    shown = ["shown there"] if picture.picture.referenced else []
    sure = [] if picture.picture.confidence is None else [f"confidence {picture.picture.confidence:.2f}"]
    return ", ".join(shown + sure)


def _sentences(sentences: tuple[Sentence, ...]) -> Iterator[str]:
    for each in sentences:
        where = f"{each.document}:{each.line}" if each.line else each.document
        yield f"- {plain(each.text)} ({plain(where)})"


def _picture(card: CardPicture, files: PictureFiles, up: str) -> str:
    path, caption = files.path(card.picture), plain(card.picture.caption or "")
    shown = f"![{caption or plain(card.picture.path)}]({up}{quote(path)})\n" if path else ""
    about = " · ".join(filter(None, [caption, plain(card.picture.path), plain(said(card))]))
    return f"{shown}*{about}*" if caption else f"{shown}{about}"
