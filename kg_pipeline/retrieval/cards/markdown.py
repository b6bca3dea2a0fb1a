"""Cards as Markdown, for a wiki or a chat."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from kg_pipeline.retrieval.cards.content import CardPicture, ConceptCard, DocumentCard
from kg_pipeline.retrieval.cards.pictures import PictureFiles
from kg_pipeline.retrieval.cards.sentences import Sentence
from kg_pipeline.retrieval.cards.words import Words, words_of, words_of_name
from kg_pipeline.retrieval.telling import place

_SIGNS = re.compile(r"([\\`*_\[\]<>#|~])")


def concept_markdown(card: ConceptCard, files: PictureFiles, up: str = "") -> str:
    """`up` leads from the page to the folder of `files`."""
    words = words_of_name(card.name)
    parts = [f"# {plain(card.name)}"]
    parts += [f"*{plain(', '.join(card.aliases))}*"] if card.aliases else []
    parts += [plain(card.description)] if card.description else []
    parts += ["\n".join(_sentences(card.summary, words))] if card.summary else []
    parts += [_picture(picture, files, up, words) for picture in card.pictures]
    if card.mentions:
        parts += [
            f"## {words['mentioned']}",
            "\n".join(f"- {plain(place(hit))} {plain(hit.heading or '')}" for hit in card.mentions),
        ]
    return "\n\n".join(parts) + "\n"


def document_markdown(card: DocumentCard, files: PictureFiles, up: str = "") -> str:
    """The same of a document."""
    words = words_of(card.language)
    parts = [f"# {plain(card.title)}", f"`{card.path}`"]
    parts += ["\n".join(_sentences(card.summary, words))] if card.summary else []
    for page in card.pages:
        parts += [f"## {words[page.kind].format(page.number)}"] if page.number else []
        for section in page.sections:
            level = min(max(section.level, 1) + (2 if page.number else 1), 6)
            heading = section.heading or ("" if page.number else place(section.hit))
            parts += [f"{'#' * level} {plain(heading)}"] if heading and not section.continues else []
            parts += [_picture(picture, files, up, words) for picture in section.pictures]
            parts += [section.text] if section.text else []
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text on one line, in which no sign is markup."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def said(picture: CardPicture, words: Words) -> str:
    """How it is known that it belongs there."""
    if picture.found_at:
        return words["at"].format(place(picture.found_at))
    shown = [words["shown there"]] if picture.picture.referenced else []
    sure = picture.picture.confidence
    return ", ".join([*shown, *([] if sure is None else [words["confidence"].format(f"{sure:.2f}")])])


def _sentences(sentences: tuple[Sentence, ...], words: Words) -> Iterator[str]:
    for each in sentences:
        where = f"{each.document}:{each.line}" if each.line else each.document
        if each.page:
            where = f"{each.document}, {words['page'].format(each.page).lower()}"
        yield f"- {plain(each.text)} ({plain(where)})"


def _picture(card: CardPicture, files: PictureFiles, up: str, words: Words) -> str:
    path, caption = files.path(card.picture), plain(card.picture.caption or "")
    shown = f"![{caption or plain(card.picture.path)}]({up}{quote(path)})\n" if path else ""
    about = " · ".join(filter(None, [caption, plain(card.picture.path), plain(said(card, words))]))
    return f"{shown}*{about}*" if caption else f"{shown}{about}"
