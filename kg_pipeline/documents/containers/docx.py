"""Word: paragraphs, headings by style, tables as rows, text boxes, notes; pictures with alt texts and captions."""

import re
from collections.abc import Iterator
from io import BytesIO
from posixpath import basename
from typing import Any

from docx import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.exceptions import PackageNotFoundError

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.containers.packages import open_package, parse_xml
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.parsed import Cut, ParsedDocument

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
V = "{urn:schemas-microsoft-com:vml}"
O = "{urn:schemas-microsoft-com:office:office}"  # noqa: E741 (as the format's own prefix)
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""The same once more for old programs."""
WRITTEN = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": "\t"}
NOTES = (RELATIONSHIP_TYPE.FOOTNOTES, RELATIONSHIP_TYPE.ENDNOTES, RELATIONSHIP_TYPE.COMMENTS)
IN_HEADER = "in a header or footer of its document"
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_CAPTIONS = frozenset(["caption", "image caption", "figure caption", "captioned figure", "figure"])


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises DocumentError, and what python-docx and lxml raise."""
    open_package(data, limits).close()
    try:
        document = Document(BytesIO(data))
    except (PackageNotFoundError, KeyError) as error:
        raise UnreadableDocumentError(f"no Word document in the zip file: {error}") from error
    return _Reader(document).document()


class _Reader:
    def __init__(self, document: Any) -> None:
        self._document = document
        self._composer = Composer()
        self._styles = {style.style_id: style for style in document.styles}
        self._kinds: dict[str | None, tuple[str, int]] = {}

    def document(self) -> ParsedDocument:
        part = self._document.part
        self._blocks(self._document.element.body, part)
        for kind in NOTES:
            for relationship in part.rels.values():
                if relationship.reltype == kind and not relationship.is_external:
                    self._blocks(parse_xml(relationship.target_part.blob), relationship.target_part)
        self._headers()
        return self._composer.document(page_title=self._document.core_properties.title)

    def _headers(self) -> None:
        for relationship in self._document.part.rels.values():
            if relationship.reltype in (RELATIONSHIP_TYPE.HEADER, RELATIONSHIP_TYPE.FOOTER):
                part = relationship.target_part
                for name, data, alt in _pictures(part.element, part):
                    self._composer.picture(name, data, alt, IN_HEADER, line=1)

    def _blocks(self, element: Any, part: Any) -> None:
        for child in element:
            if child.tag == f"{W}p":
                self._paragraph(child, part)
            elif child.tag == f"{W}tbl":
                self._table(child, part)
            elif child.tag != FALLBACK and isinstance(child.tag, str):
                self._blocks(child, part)

    def _paragraph(self, paragraph: Any, part: Any) -> None:
        text = _text(paragraph)
        properties = paragraph.find(f"{W}pPr")
        kind, level = self._kind(properties)
        if kind == "caption" and text.strip():
            self._pictures(paragraph, part)
            self._composer.caption(text)
        elif kind == "heading":
            self._composer.heading(level, text)
            self._pictures(paragraph, part)
        else:
            is_item = properties is not None and properties.find(f"{W}numPr") is not None
            self._composer.paragraph(text, Cut.LIST_ITEM if is_item else Cut.PARAGRAPH)
            self._pictures(paragraph, part)
        for box in _boxes(paragraph):
            self._blocks(box, part)

    def _table(self, table: Any, part: Any) -> None:
        for number, row in enumerate(_within(table, f"{W}tr")):
            cells = list(_within(row, f"{W}tc"))
            self._composer.row([_cell_text(cell) for cell in cells], is_first=number == 0)
            for cell in cells:
                self._pictures(cell, part)

    def _pictures(self, element: Any, part: Any) -> None:
        for name, data, alt in _pictures(element, part):
            self._composer.picture(name, data, alt)

    def _kind(self, properties: Any) -> tuple[str, int]:
        """What a paragraph is by its style: (text, heading or caption; level)."""
        style = properties.find(f"{W}pStyle") if properties is not None else None
        style_id = style.get(f"{W}val") if style is not None else None
        if style_id not in self._kinds:
            self._kinds[style_id] = self._kind_of_style(style_id)
        kind, level = self._kinds[style_id]
        outline = properties.find(f"{W}outlineLvl") if properties is not None else None
        if kind == "text" and outline is not None and str(outline.get(f"{W}val")).isdigit():
            own = int(outline.get(f"{W}val"))
            return ("heading", own + 1) if own < 6 else (kind, level)
        return kind, level

    def _kind_of_style(self, style_id: str | None) -> tuple[str, int]:
        style = self._styles.get(style_id)
        for _ in range(10):  # a style may be based on itself
            if style is None:
                break
            name = (style.name or "").lower()
            if name in _CAPTIONS:
                return "caption", 0
            if name == "title":
                return "heading", 1
            if match := _HEADING.match(name):
                return "heading", min(max(int(match[1]), 1), 6)
            style = getattr(style, "base_style", None)
        return "text", 0


def _text(element: Any) -> str:
    """The text of a paragraph without that of text boxes in it."""
    return "".join(_pieces(element))


def _pieces(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag == f"{W}t":
            yield child.text or ""
        elif child.tag in WRITTEN:
            yield WRITTEN[child.tag]
        elif child.tag not in (FALLBACK, f"{W}txbxContent", f"{W}pPr", f"{W}rPr"):
            yield from _pieces(child)


def _cell_text(cell: Any) -> str:
    return " ".join(_text(paragraph) for paragraph in cell.iter(f"{W}p") if not _in_fallback(paragraph))


def _boxes(paragraph: Any) -> Iterator[Any]:
    """Text boxes that hang on a paragraph, outermost ones only."""
    for box in paragraph.iter(f"{W}txbxContent"):
        if not _in_fallback(box) and next(box.iterancestors(f"{W}p"), None) is paragraph:
            yield box


def _within(element: Any, tag: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, also those in content controls; not those of tables inside."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}ins"):
            yield from _within(child, tag)


def _pictures(element: Any, part: Any) -> Iterator[tuple[str, bytes, str | None]]:
    """Name, bytes and alt text of the pictures of an element, but for those in text boxes, which come by themselves."""
    for blip in element.iter(f"{A}blip", f"{V}imagedata"):
        if _is_twin(blip) or (element.tag == f"{W}p" and next(blip.iterancestors(f"{W}p"), None) is not element):
            continue
        # r:link leads out of the file and is never followed.
        relationship = part.rels.get(blip.get(f"{R}embed") or blip.get(f"{R}id") or "")
        if relationship is None or relationship.is_external:
            continue
        yield basename(str(relationship.target_part.partname)), relationship.target_part.blob, _alt(blip)


def _alt(blip: Any) -> str | None:
    written: str | None = blip.get(f"{O}title")
    if blip.tag == f"{V}imagedata":
        shape = next(blip.iterancestors(f"{V}shape"), None)
        return (shape.get("alt") if shape is not None else None) or written
    for drawing in blip.iterancestors(f"{WP}inline", f"{WP}anchor"):
        described = drawing.find(f"{WP}docPr")
        if described is not None:
            written = described.get("descr") or described.get("title")
            break
    return written


def _in_fallback(element: Any) -> bool:
    return next(element.iterancestors(FALLBACK), None) is not None


def _is_twin(blip: Any) -> bool:
    """Whether a picture is there for old programs and stands once more, or as something better, in its alternative."""
    fallback = next(blip.iterancestors(FALLBACK), None)
    tags = (f"{A}blip", f"{V}imagedata")
    return fallback is not None and any(
        next(choice.iter(*tags), None) is not None for choice in fallback.itersiblings(preceding=True)
    )
