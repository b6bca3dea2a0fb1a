"""Which parser reads which extension. A new format is one more line here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from kg_pipeline.documents.html import parse_html
from kg_pipeline.documents.markdown import parse_markdown, parse_mdx
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.documents.plain_text import parse_plain_text
from kg_pipeline.documents.rst import parse_rst


@dataclass(frozen=True)
class DocumentFormat:
    """A format: its name in the table, and a function from text (lines end in LF) to what is in it."""

    name: str
    parse: Callable[[str], ParsedDocument]


MARKDOWN = DocumentFormat("markdown", parse_markdown)
MDX = DocumentFormat("markdown", parse_mdx)
RST = DocumentFormat("rst", parse_rst)
HTML = DocumentFormat("html", parse_html)
TEXT = DocumentFormat("text", parse_plain_text)

FORMATS: dict[str, DocumentFormat] = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".mdown": MARKDOWN,
    ".mkd": MARKDOWN,
    ".mdx": MDX,
    ".rmd": MARKDOWN,
    ".qmd": MARKDOWN,
    ".rst": RST,
    ".rest": RST,
    ".html": HTML,
    ".htm": HTML,
    "._html": HTML,
    ".xhtml": HTML,
    ".txt": TEXT,
}


def format_of(path: str) -> DocumentFormat | None:
    """The format of a file by its extension; None when it is no document."""
    return FORMATS.get(PurePosixPath(path).suffix.lower())
