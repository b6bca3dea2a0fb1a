"""Builds a ParsedDocument from paragraphs, headings and pictures as they come, for formats that have no lines."""

from dataclasses import replace
from hashlib import sha256
from pathlib import PurePosixPath

from kg_pipeline.documents.image_names import without_image_names
from kg_pipeline.documents.parsed import EMBEDDED, Cut, EmbeddedPicture, Heading, ImageReference, ParsedDocument


class Composer:
    """A paragraph, a heading, a row of a table and a picture's place are a line each."""

    def __init__(self) -> None:
        self._prose: list[str] = []
        self._headings: list[Heading] = []
        self._references: list[ImageReference] = []
        self._cuts: dict[int, Cut] = {}
        self._code: set[int] = set()
        self._pages: list[int] = []
        self._pictures: dict[str, EmbeddedPicture] = {}
        self._names: set[str] = set()
        self._open: list[int] = []
        """Pictures since the last text, which a caption may be for."""
        self._caption: str | None = None
        """A caption that no picture has been seen for yet."""

    @property
    def line(self) -> int:
        """The line written last, from 1."""
        return len(self._prose)

    def page(self) -> None:
        """Begin a page (slide, sheet)."""
        self._flush()
        self._pages.append(self.line + 1)

    def heading(self, level: int, text: str) -> None:
        """A heading on a line of its own; nothing when there is no text."""
        if text := _one_line(text):
            self._text(text, Cut.PARAGRAPH)
            self._headings.append(Heading(self.line, level, without_image_names(text)))

    def paragraph(self, text: str, cut: Cut = Cut.PARAGRAPH) -> None:
        """Text; line breaks in it begin lines."""
        for number, line in enumerate(filter(str.strip, text.splitlines())):
            self._text(line.rstrip(), cut if number == 0 else None)

    def row(self, cells: list[str], is_first: bool = False) -> None:
        """A row of a table; tables are not cut where another place will do."""
        if any(filled := [_one_line(cell) for cell in cells]):
            self._text(" | ".join(cell for cell in filled if cell), Cut.PARAGRAPH if is_first else None)

    def code(self, text: str) -> None:
        """Lines of code, kept as they are."""
        for number, line in enumerate(text.splitlines()):
            self._text(line, Cut.PARAGRAPH if number == 0 else None)
            self._code.add(self.line)

    def caption(self, text: str) -> None:
        """A paragraph marked as a caption: of the pictures just before it, else of the next one, else it is text."""
        text = _one_line(text)
        if self._open:
            for index in self._open:
                self._references[index] = replace(self._references[index], caption=without_image_names(text) or None)
            self._open = []
        else:
            self._flush()
            self._caption = text

    def picture(
        self, name: str, data: bytes, alt: str | None = None, decorative: str | None = None, line: int | None = None
    ) -> None:
        """A picture at `line`, or else on a line of its own."""
        content = sha256(data).hexdigest()
        if content not in self._pictures:
            self._pictures[content] = EmbeddedPicture(self._free(name), data, decorative)
        elif decorative is None and (known := self._pictures[content]).decorative:
            self._pictures[content] = replace(known, decorative=None)
        self.reference(EMBEDDED, self._pictures[content].name, alt, line)

    def reference(self, kind: str, target: str, alt: str | None = None, line: int | None = None) -> None:
        """A reference at `line`, or else on a line of its own."""
        if line is None:
            self._prose.append("")
            line = self.line
        self._open.append(len(self._references))
        self._references.append(ImageReference(max(line, 1), kind, target, _one_line(alt or "") or None, self._caption))
        self._caption = None

    def text_of(self, document: ParsedDocument) -> int:
        """Add the lines, headings and cuts of a part that has a parser of its own; returns the lines before it."""
        self._flush()
        before = self.line
        self._prose += document.prose
        self._headings += [replace(heading, line=heading.line + before) for heading in document.headings]
        self._cuts |= {line + before: cut for line, cut in document.cuts.items()}
        self._cuts.setdefault(before + 1, Cut.PARAGRAPH)
        self._code |= {line + before for line in document.code_lines}
        return before

    def embed(self, reference: ImageReference, before: int, name: str, data: bytes) -> None:
        """The picture that a reference of such a part means, `before` lines further down."""
        self.picture(name, data, reference.alt, line=reference.line + before)
        self._references[-1] = replace(self._references[-1], caption=reference.caption)
        self._open = []

    def keep(self, reference: ImageReference, before: int) -> None:
        """A reference of such a part to something that is not in this file."""
        self._references.append(replace(reference, line=reference.line + before))

    def document(self, title: str | None = None, page_title: str | None = None) -> ParsedDocument:
        """What was built."""
        self._flush()
        self._prose = self._prose or [""]
        return ParsedDocument(
            prose=tuple(self._prose),
            headings=tuple(self._headings),
            references=tuple(self._references),
            cuts=self._cuts,
            code_lines=frozenset(self._code),
            title=_one_line(title or "") or None,
            page_title=_one_line(page_title or "") or None,
            pages=tuple(min(page, len(self._prose)) for page in self._pages),
            pictures=tuple(self._pictures.values()),
        )

    def _text(self, line: str, cut: Cut | None) -> None:
        self._flush()
        self._open = []
        self._prose.append(without_image_names(line))
        if cut is not None:
            self._cuts[self.line] = cut

    def _flush(self) -> None:
        if self._caption is not None:
            text, self._caption = self._caption, None
            self._text(text, Cut.PARAGRAPH)

    def _free(self, name: str) -> str:
        """`name`, or with -2, -3 … when another picture has it."""
        pure = PurePosixPath(name)
        candidate, number = name, 2
        while candidate in self._names:
            candidate, number = str(pure.with_name(f"{pure.stem}-{number}{pure.suffix}")), number + 1
        self._names.add(candidate)
        return candidate


def _one_line(text: str) -> str:
    return " ".join(text.split())
