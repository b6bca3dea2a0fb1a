"""MediaWiki: headings, prose without markup, files that a page shows."""

import re

from kg_pipeline.documents.image_names import names_an_image, without_image_names
from kg_pipeline.documents.parsed import Cut, Heading, ImageReference, ParsedDocument

# The namespace of files by its name in the largest Wikipedias; `File` and `Image` work in all of them.
_NAMESPACE = (
    r"(?:File|Image|Datei|Bild|Fichier|Archivo|Imagen|Файл|Изображение|Bestand|Plik|Ficheiro"
    r"|文件|图像|檔案|ファイル|画像)"
)
_FILE = re.compile(
    rf"\[\[\s*(:)?\s*{_NAMESPACE}\s*:\s*([^|\[\]\n]+)((?:\[\[[^\[\]]*\]\]|\[[^\[\]\n]*\]|[^\[\]])*)\]\]", re.IGNORECASE
)
_GALLERY = re.compile(r"<(/?)gallery\b[^>]*>", re.IGNORECASE)
_IN_GALLERY = re.compile(rf"\s*(?:{_NAMESPACE}\s*:\s*)?([^|\n]+?)\s*(?:\|(.*))?$", re.IGNORECASE)
_HEADING = re.compile(r"(={1,6})\s*(.+?)\s*\1\s*$")
_LINK = re.compile(r"\[\[(?:[^|\[\]\n]*\|)?([^|\[\]\n]*)\]\]")
_OUTWARD = re.compile(r"\[(?:https?:)?//[^\s\[\]]+\s+([^\[\]\n]*)\]")
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
# None goes over the beginning of the next one: 100 kB of them, none closed, would take a minute.
_NOTE = re.compile(r"<ref\b(?:[^<>]*[^<>/])?>((?:(?!<ref\b).)*?)</ref>")
_TAG = re.compile(r"<!--(?:(?!<!--).)*?-->|</?[a-zA-Z][^<>]*>")
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
    # A caption may go over several lines; what is taken out leaves its line breaks behind.
    shown = _FILE.sub(parser.file, text)
    for number, (line, rest) in enumerate(zip(text.split("\n"), shown.split("\n"), strict=True), start=1):
        parser.read(number, line, rest)
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
        references = sorted(self._references, key=lambda reference: reference.line)
        return ParsedDocument(tuple(self._prose), tuple(self._headings), tuple(references), self._cuts)

    def file(self, match: re.Match[str]) -> str:
        line = match.string.count("\n", 0, match.start()) + 1
        self._refer(line, match[2], match[3], "link" if match[1] else "wiki_image")
        return "\n" * match[0].count("\n")

    def skip(self) -> None:
        self._prose.append("")
        self._after_blank = True

    def heading(self, number: int, level: int, text: str) -> None:
        shown = without_image_names(_plain(text))
        self._prose.append(shown)
        if shown.strip():
            self._headings.append(Heading(number, min(level, 6), shown))
        self._after_blank = True

    def read(self, number: int, line: str, rest: str) -> None:
        """A line as written, and what is left of it without the files it shows."""
        if match := _HEADING.match(rest):
            self.heading(number, len(match[1]), match[2])
            return
        for mark in _GALLERY.finditer(rest):
            self._in_gallery = not mark[1]
        if self._in_gallery and (shown := _IN_GALLERY.match(_GALLERY.sub("", rest))) and names_an_image(shown[1]):
            self._refer(number, shown[1], shown[2] or "", "wiki_image")
            self.skip()
            return
        if self._after_blank:
            self._cuts[number] = Cut.PARAGRAPH
        elif _LIST_ITEM.match(line):
            self._cuts[number] = Cut.LIST_ITEM
        self._prose.append(without_image_names(_plain(rest)))
        self._after_blank = not line.strip()

    def _refer(self, line: int, name: str, options: str, kind: str) -> None:
        # `|` inside a link of the caption divides nothing.
        options = " ".join(_LINK.sub(r"\1", _without_templates(options)).split())
        words = [part.strip() for part in options.split("|")]
        alt = next((match[1] for word in words if (match := _ALT.match(word))), None)
        captions = [word for word in words if word and not _OPTION.match(word)]
        target = name.strip().replace(" ", "_")
        caption = _plain(captions[-1]) if captions and kind != "link" else None
        self._references.append(ImageReference(line, kind, target, alt, caption or None))


def _without_templates(text: str) -> str:
    return _TEMPLATE.sub(" ", _TEMPLATE.sub(" ", text))


def _plain(text: str) -> str:
    """The words of a line, its footnotes behind them."""
    text = _without_templates(text)
    notes = [note[1] for note in _NOTE.finditer(text) if re.search(r"\w", note[1])]
    text = _TAG.sub(" ", " ".join((_NOTE.sub(" ", text), *notes)))
    text = _OUTWARD.sub(r"\1", _LINK.sub(r"\1", text)).replace("'''", "").replace("''", "")
    if _TABLE.match(text):
        text = re.sub(r"^\s*(?:\{\|.*|\|\}|\|-.*|[!|]\+?)|\|\||!!", " ", text)
    return " ".join(text.lstrip("*#:;").split())
