"""Org: headlines, paragraphs, links that show an image, captions and alt texts of `#+` lines."""

import re

from kg_pipeline.documents.image_names import commented_images, names_an_image, without_image_names
from kg_pipeline.documents.parsed import Cut, Heading, ImageReference, ParsedDocument

_HEADLINE = re.compile(r"(\*+)\s+(?:(?:TODO|DONE)\s+)?(.*?)(?:\s+:[\w@#%:]+:)?$")
_KEYWORD = re.compile(r"\s*#\+(\w+)(?:\[.*?\])?:\s*(.*)$")
_LINK = re.compile(r"\[\[([^\[\]]+)\](?:\[([^\]]*)\])?\]")
_BEGIN = re.compile(r"\s*#\+begin_(\w+)", re.IGNORECASE)
_END = re.compile(r"\s*#\+end_(\w+)", re.IGNORECASE)
_LIST_ITEM = re.compile(r"\s*(?:[-+]|\d+[.)])\s+\S")
_UNREAD = re.compile(r"\s*(?:# |#$|:[\w-]+:)")
_ALT = re.compile(r":alt\s+(.+?)(?=\s+:\w|$)")
_FILE = re.compile(r"^(?:file|attachment):(?://(?=/))?")
_MARKUP = frozenset(["export", "html", "latex"])
_KEPT_AS_IT_IS = _MARKUP | {"src", "example", "comment"}


def parse_org(text: str) -> ParsedDocument:
    """A document; https://orgmode.org/manual/. A link without description to an image is that image."""
    parser = _Parser()
    for line in text.split("\n"):
        parser.read(line)
    return parser.document()


class _Parser:
    def __init__(self) -> None:
        self._prose: list[str] = []
        self._headings: list[Heading] = []
        self._references: list[ImageReference] = []
        self._cuts: dict[int, Cut] = {}
        self._code: set[int] = set()
        self._title: str | None = None
        self._caption: str | None = None
        self._alt: str | None = None
        self._block: str | None = None
        self._after_blank = True

    def document(self) -> ParsedDocument:
        return ParsedDocument(
            tuple(self._prose),
            tuple(self._headings),
            tuple(self._references),
            self._cuts,
            frozenset(self._code),
            self._title,
        )

    def read(self, line: str) -> None:
        number = len(self._prose) + 1
        self._prose.append(self._in_block(number, line) if self._block else self._outside(number, line))
        self._after_blank = not line.strip()

    def _in_block(self, number: int, line: str) -> str:
        if (end := _END.match(line)) and end[1].lower() == self._block:
            self._block = None
            return ""
        if self._block == "comment":
            return ""
        self._code.add(number)
        if self._block in _MARKUP:
            self._html(number, line)
        return without_image_names(line.rstrip())

    def _outside(self, number: int, line: str) -> str:
        if begin := _BEGIN.match(line):
            self._block = begin[1].lower() if begin[1].lower() in _KEPT_AS_IT_IS else None
            return ""
        if keyword := _KEYWORD.match(line):
            self._keyword(number, keyword[1].lower(), keyword[2].strip())
            return ""
        if headline := _HEADLINE.match(line):
            shown = without_image_names(_LINK.sub(_words, headline[2]))
            if shown.strip():
                self._headings.append(Heading(number, min(len(headline[1]), 6), shown))
            return shown
        return "" if _UNREAD.match(line) else self._paragraph(number, line)

    def _html(self, number: int, markup: str) -> None:
        for _, target, alt in commented_images(markup, number):
            self._references.append(ImageReference(number, "org_image", target, alt))

    def _keyword(self, number: int, name: str, value: str) -> None:
        if name == "title":
            self._title = value or None
        elif name == "html":
            self._html(number, value)
        elif name == "caption":
            self._caption = value or None
        elif name.startswith("attr_") and (found := _ALT.search(value)):
            self._alt = found[1].strip('"')

    def _paragraph(self, number: int, line: str) -> str:
        for link in _LINK.finditer(line):
            target, shown = _FILE.sub("", link[1]), _FILE.sub("", link[2] or link[1])
            if names_an_image(shown):  # a link whose words are a picture shows that picture
                self._references.append(ImageReference(number, "org_image", shown, self._alt, self._caption))
            if names_an_image(target) and target != shown:
                self._references.append(ImageReference(number, "link", target, self._alt))
        if self._after_blank:
            self._cuts[number] = Cut.PARAGRAPH
        elif _LIST_ITEM.match(line):
            self._cuts[number] = Cut.LIST_ITEM
        if line.strip():
            self._caption = self._alt = None
        return without_image_names(_LINK.sub(_words, line)).rstrip()


def _words(link: re.Match[str]) -> str:
    """What a reader sees of a link."""
    words = str(link[2] or link[1])
    return "" if names_an_image(words) else words
