"""AsciiDoc: headings, paragraphs, images as blocks and in lines, with titles as captions."""

import re

from kg_pipeline.documents.image_names import without_image_names
from kg_pipeline.documents.parsed import Cut, Heading, ImageReference, ParsedDocument

_HEADING = re.compile(r"(={1,6}|#{1,6})\s+(\S.*?)(?:\s+\1)?$")
# With bounds: 100 kB of `image::a[` on one line took a minute.
_IMAGE = re.compile(r"(?<!\w)image(::?)([^\s\[:][^\[\n]{0,300})\[((?:[^\]\\]|\\.){0,1000})\]")
_ATTRIBUTE = re.compile(r":(!?[\w-]+!?):(?:\s+(.*))?$")
_TITLE = re.compile(r"\.(?!\.)(\S.*)$")
_DELIMITER = re.compile(r"(?:-{4,}|={4,}|\.{4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|[|,:!]={3,}|`{3,}.*)$")
# `[ -h ] [ FILE ]` is a line of text.
_BLOCK_ATTRIBUTES = re.compile(r"""\[(?:|[\w.#%{,"'][^\]]*|\[[\w:][^\]]*\])\]$""")
_LIST_ITEM = re.compile(r"\s*(?:[*-]+|\.{1,5}|\d+\.)\s+\S")
_NAMED = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,]*))""")
_REFERENCE = re.compile(r"\{([\w-]+)\}")
_LITERAL = frozenset("-.+`")
_COMMENT = "/"


def parse_asciidoc(text: str) -> ParsedDocument:
    """A document; https://docs.asciidoctor.org/asciidoc/latest/. `include::` is not followed."""
    return _Parser(text.split("\n")).document()


class _Parser:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._prose: list[str] = []
        self._headings: list[Heading] = []
        self._references: list[ImageReference] = []
        self._cuts: dict[int, Cut] = {}
        self._code: set[int] = set()
        self._attributes: dict[str, str] = {}
        self._title: str | None = None
        self._caption: str | None = None

    def document(self) -> ParsedDocument:
        inside: str | None = None
        above = ""
        for number, line in enumerate(self._lines, start=1):
            stripped = line.rstrip()
            if inside is not None:
                ends = stripped == inside
                self._prose.append("" if ends or inside[0] == _COMMENT else without_image_names(stripped))
                if not ends:
                    self._code.add(number)
                inside = None if ends else inside
            elif _DELIMITER.match(stripped):
                if (stripped[0] in _LITERAL and stripped != "--") or stripped[0] == _COMMENT:
                    inside = stripped if stripped[0] != "`" else "```"
                self._prose.append("")
            else:
                self._prose.append(self._line(number, stripped, above))
            above = stripped
        return ParsedDocument(
            prose=tuple(self._prose),
            headings=tuple(self._headings),
            references=tuple(self._references),
            cuts=self._cuts,
            code_lines=frozenset(self._code),
            title=self._title,
        )

    def _line(self, number: int, line: str, above: str) -> str:
        if line.startswith("//") and not line.startswith("///"):
            return ""
        if attribute := _ATTRIBUTE.match(line):
            self._attributes[attribute[1]] = (attribute[2] or "").strip()
            return ""
        if heading := _HEADING.match(line):
            text = without_image_names(self._resolved(heading[2]))
            self._headings.append(Heading(number, len(heading[1]), text))
            if len(heading[1]) == 1 and self._title is None:
                self._title = text
            return text
        if title := _TITLE.match(line):
            self._caption = title[1]
            return "" if self._is_image(number) else title[1]
        if _BLOCK_ATTRIBUTES.match(line):
            return ""
        if not above.strip():
            self._cuts[number] = Cut.PARAGRAPH
        elif _LIST_ITEM.match(line):
            self._cuts[number] = Cut.LIST_ITEM
        for image in _IMAGE.finditer(line):
            self._refer(number, image)
        if line.strip():
            self._caption = None
        return without_image_names(_IMAGE.sub("", self._resolved(line))).rstrip()

    def _is_image(self, number: int) -> bool:
        """Whether the block below line `number` is an image; attributes may stand between."""
        following = (line for line in self._lines[number : number + 4] if not _BLOCK_ATTRIBUTES.match(line.rstrip()))
        return next(following, "").startswith("image::")

    def _refer(self, line: int, image: re.Match[str]) -> None:
        named = {match[1]: next(filter(None, match.groups()[1:]), "") for match in _NAMED.finditer(image[3])}
        first = image[3].split(",")[0].strip().strip('"')
        alt = named.get("alt") or (first if "=" not in first else "")
        target = self._resolved(image[2])
        folder = self._resolved(self._attributes.get("imagesdir", ""))
        if folder and not re.match(r"/|[a-z]+:", target):
            target = f"{folder.rstrip('/')}/{target}"
        kind = "asciidoc_image" if image[1] == "::" else "asciidoc_inline"
        caption = named.get("title") or (self._caption if image[1] == "::" else None)
        self._references.append(ImageReference(line, kind, target, alt or None, caption))

    def _resolved(self, text: str) -> str:
        return _REFERENCE.sub(lambda match: self._attributes.get(match[1], match[0]), text)
