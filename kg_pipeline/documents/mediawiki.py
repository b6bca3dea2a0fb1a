"""MediaWiki: headings, prose without markup, files that a page shows."""

import re

from kg_pipeline.documents.image_names import names_an_image, without_image_names
from kg_pipeline.documents.parsed import Cut, Heading, ImageReference, ParsedDocument

# The namespace of files by its name in the largest Wikipedias; `File` and `Image` work in all of them.
_NAMESPACE = (
    r"(?:File|Image|Datei|Bild|Fichier|Archivo|Imagen|Файл|Изображение|Bestand|Plik|Ficheiro"
    r"|文件|图像|檔案|ファイル|画像)"
)
_FILE = re.compile(rf"\[\[\s*(:)?\s*{_NAMESPACE}\s*:\s*([^|\[\]\n]+)((?:\[\[[^\[\]]*\]\]|[^\[\]])*)\]\]", re.IGNORECASE)
_GALLERY = re.compile(r"<(/?)gallery\b[^>]*>", re.IGNORECASE)
_IN_GALLERY = re.compile(rf"\s*(?:{_NAMESPACE}\s*:\s*)?([^|\n]+?)\s*(?:\|(.*))?$", re.IGNORECASE)
_HEADING = re.compile(r"(={1,6})\s*(.+?)\s*\1\s*$")
_LINK = re.compile(r"\[\[(?:[^|\[\]\n]*\|)?([^|\[\]\n]*)\]\]")
_OUTWARD = re.compile(r"\[(?:https?:)?//\S+\s+([^\]\n]*)\]")
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_TAG = re.compile(r"<!--.*?-->|<ref\b[^>]*/>|<ref\b[^>]*>.*?</ref>|</?[a-zA-Z][^>]*>")
_TABLE = re.compile(r"\s*(?:\{\||\|\}|\|-|!|\|\+|\|)")
_OPTION = re.compile(
    r"(?:thumb|thumbnail|frame|frameless|border|left|right|center|none|mini|miniatur|upright|rechts|links|vignette"
    r"|(?:upright|alt|link|page|class|lang|width|height)\s*=.*|\d*x?\d+\s*px)$",
    re.IGNORECASE,
)
_ALT = re.compile(r"alt\s*=\s*(.*)", re.IGNORECASE)
_LIST_ITEM = re.compile(r"[*#:;]")


def parse_mediawiki(text: str) -> ParsedDocument:
    """The wikitext of a page; https://www.mediawiki.org/wiki/Help:Formatting. Templates are not expanded."""
    parser = _Parser()
    for number, line in enumerate(text.split("\n"), start=1):
        parser.read(number, line)
    return parser.document()


class _Parser:
    def __init__(self) -> None:
        self._prose: list[str] = []
        self._headings: list[Heading] = []
        self._references: list[ImageReference] = []
        self._cuts: dict[int, Cut] = {}
        self._in_gallery = False
        self._after_blank = True

    def document(self) -> ParsedDocument:
        return ParsedDocument(tuple(self._prose), tuple(self._headings), tuple(self._references), self._cuts)

    def skip(self) -> None:
        self._prose.append("")
        self._after_blank = True

    def heading(self, number: int, level: int, text: str) -> None:
        shown = without_image_names(_plain(text))
        self._prose.append(shown)
        if shown.strip():
            self._headings.append(Heading(number, min(level, 6), shown))
        self._after_blank = True

    def read(self, number: int, line: str) -> None:
        if match := _HEADING.match(line):
            self.heading(number, len(match[1]), match[2])
            return
        for mark in _GALLERY.finditer(line):
            self._in_gallery = not mark[1]
        if self._in_gallery and (shown := _IN_GALLERY.match(_GALLERY.sub("", line))) and names_an_image(shown[1]):
            self._refer(number, shown[1], shown[2] or "", "wiki_image")
            self.skip()
            return
        for file in _FILE.finditer(line):
            self._refer(number, file[2], file[3], "link" if file[1] else "wiki_image")
        if self._after_blank:
            self._cuts[number] = Cut.PARAGRAPH
        elif _LIST_ITEM.match(line):
            self._cuts[number] = Cut.LIST_ITEM
        self._prose.append(without_image_names(_plain(_FILE.sub("", line))))
        self._after_blank = not line.strip()

    def _refer(self, line: int, name: str, options: str, kind: str) -> None:
        # `|` inside a link of the caption divides nothing.
        words = [part.strip() for part in _LINK.sub(r"\1", options).split("|")]
        alt = next((match[1] for word in words if (match := _ALT.match(word))), None)
        captions = [word for word in words if word and not _OPTION.match(word)]
        target = name.strip().replace(" ", "_")
        caption = _plain(captions[-1]) if captions and kind != "link" else None
        self._references.append(ImageReference(line, kind, target, alt, caption or None))


def _plain(text: str) -> str:
    for pattern in (_TAG, _TEMPLATE, _TEMPLATE):
        text = pattern.sub(" ", text)
    text = _OUTWARD.sub(r"\1", _LINK.sub(r"\1", text)).replace("'''", "").replace("''", "")
    if _TABLE.match(text):
        text = re.sub(r"^\s*(?:\{\|.*|\|\}|\|-.*|[!|]\+?)|\|\||!!", " ", text)
    return " ".join(text.lstrip("*#:;").split())
