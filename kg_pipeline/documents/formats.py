"""Which parser reads which extension. A new format is one more line here."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import PurePosixPath

from kg_pipeline.config import Limits
from kg_pipeline.documents.asciidoc import parse_asciidoc
from kg_pipeline.documents.html import parse_html
from kg_pipeline.documents.latex import parse_latex
from kg_pipeline.documents.markdown import parse_markdown, parse_mdx
from kg_pipeline.documents.mediawiki import parse_mediawiki
from kg_pipeline.documents.org import parse_org
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.documents.plain_text import parse_plain_text
from kg_pipeline.documents.rst import parse_rst


@dataclass(frozen=True)
class DocumentFormat:
    """A format of text: its name in the table, and a function from text (lines end in LF) to what is in it."""

    name: str
    parse: Callable[[str], ParsedDocument]


@dataclass(frozen=True)
class ContainerFormat:
    """A format whose files hold pictures. It is read only in a process that can be killed (containers.killable)."""

    name: str
    """In the table, and of the module in kg_pipeline.documents.containers."""
    library: str = "kg-pipeline"
    """Distribution that does the reading: with another version of it files are read anew."""
    recipe: int = 1
    """Raised when the module makes something else of a file."""

    page: str = "page"
    """What its pages are called."""

    def read(self, data: bytes, limits: Limits) -> ParsedDocument:
        """Text and pictures of a file. Raises DocumentError, and whatever its library raises."""
        # Imported here: the libraries together take half a second, which no run without such files should wait for.
        module = import_module(f"kg_pipeline.documents.containers.{self.name}")
        document: ParsedDocument = module.read(data, limits)
        return document

    @property
    def reader(self) -> str:
        """Names all that decides what comes of a file."""
        return f"{self.name}-{self.recipe}-{self.library}-{version(self.library)}"


MARKDOWN = DocumentFormat("markdown", parse_markdown)
MDX = DocumentFormat("markdown", parse_mdx)
RST = DocumentFormat("rst", parse_rst)
HTML = DocumentFormat("html", parse_html)
ASCIIDOC = DocumentFormat("asciidoc", parse_asciidoc)
ORG = DocumentFormat("org", parse_org)
LATEX = DocumentFormat("latex", parse_latex)
MEDIAWIKI = DocumentFormat("mediawiki", parse_mediawiki)
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
    ".adoc": ASCIIDOC,
    ".asciidoc": ASCIIDOC,
    ".org": ORG,
    ".tex": LATEX,
    ".wiki": MEDIAWIKI,
    ".mediawiki": MEDIAWIKI,
    ".txt": TEXT,
}
"""Formats of text, whose pictures are files of their own."""

CONTAINERS: dict[str, ContainerFormat] = {
    ".pdf": ContainerFormat("pdf", "pypdfium2", recipe=3),
    ".docx": (DOCX := ContainerFormat("docx", "python-docx")),
    ".docm": DOCX,
    ".pptx": (PPTX := ContainerFormat("pptx", "python-pptx", recipe=2, page="slide")),
    ".pptm": PPTX,
    ".ppsx": PPTX,
    ".xlsx": (XLSX := ContainerFormat("xlsx", "openpyxl", page="sheet")),
    ".xlsm": XLSX,
    ".epub": ContainerFormat("epub"),
    ".ipynb": ContainerFormat("notebook"),
    ".eml": ContainerFormat("email"),
    ".mediawiki.xml": ContainerFormat("mediawiki_dump", "lxml", recipe=2),
    ".confluence.zip": ContainerFormat("confluence", "lxml"),
}
"""Formats with pictures inside. An export that its program calls `.xml` or `.zip` has to be named for what it is."""


def format_of(path: str) -> DocumentFormat | ContainerFormat | None:
    """The format of a file by its extension; None when it is no document."""
    suffixes = PurePosixPath(path.lower()).suffixes
    for suffix in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        if found := FORMATS.get(suffix) or CONTAINERS.get(suffix):
            return found
    return None
