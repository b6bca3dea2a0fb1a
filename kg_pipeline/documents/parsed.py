"""What a parser makes of a text: prose line by line, headings, image references, places to cut."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType


class Cut(IntEnum):
    """How good it is to begin a passage at a line; a line that is not named is the worst place."""

    LIST_ITEM = 1
    PARAGRAPH = 2


@dataclass(frozen=True)
class ImageReference:
    """One place where a document embeds, links or comments out an image."""

    line: int
    """Row of the embedding, from 1."""
    kind: str
    target: str
    """As written."""
    alt: str | None = None
    caption: str | None = None


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the outermost."""

    line: int
    """Its row, from 1."""
    level: int
    text: str


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture that lies inside the document's file, once however often it is shown."""

    name: str
    """Unique in the document: `p3-1.png`. A reference of kind EMBEDDED has it as target."""
    data: bytes
    """As PNG, JPEG or another format that the inventory reads."""
    decorative: str | None = None
    """Why it is decoration by its place (a slide master, most pages), else None."""


@dataclass(frozen=True)
class ParsedDocument:
    """A document of `len(prose)` rows: lines of the file, or parts of lines where several blocks share one."""

    prose: tuple[str, ...]
    """Readable text of each row; empty where it holds only markup."""
    headings: tuple[Heading, ...] = ()
    references: tuple[ImageReference, ...] = ()
    cuts: Mapping[int, Cut] = field(default_factory=lambda: MappingProxyType({}))
    """Line to how good it is to begin a passage there."""
    code_lines: frozenset[int] = frozenset()
    title: str | None = None
    """Title from front matter, else None."""
    page_title: str | None = None
    """Title that stands outside the text (HTML `<title>`), used where there is no heading."""
    base: str | None = None
    """HTML `<base href>`: what relative targets are relative to."""
    pages: tuple[int, ...] = ()
    """First line of every page, ascending; empty for a format without pages. No passage goes over a page's end."""
    pictures: tuple[EmbeddedPicture, ...] = ()
    scans: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """Line to the picture that is all there is of that page: what OCR reads in it becomes the text of the line."""
    lines: tuple[int, ...] = ()
    """Line of the file of each row, ascending; empty where row n is line n."""

    def line_of(self, row: int) -> int:
        """The line of the file, both from 1."""
        return self.lines[row - 1] if self.lines else row


EMBEDDED = "embedded"
"""Kind of a reference to a picture inside the document's own file."""
NOT_EMBEDDED_KINDS = frozenset({"link", "commented"})
