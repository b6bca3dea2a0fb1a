"""EPUB: the pages of the book in reading order, each read as HTML; pictures under their names in the book."""

from posixpath import dirname
from urllib.parse import unquote
from zipfile import ZipFile

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.containers.packages import open_package, parse_xml, resolved
from kg_pipeline.documents.decoding import decode
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.html import parse_html
from kg_pipeline.documents.parsed import NOT_EMBEDDED_KINDS, ParsedDocument

CONTAINER = "META-INF/container.xml"
ROOT_FILE = "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
OPF = "{http://www.idpf.org/2007/opf}"
DC = "{http://purl.org/dc/elements/1.1/}"
PAGES = frozenset(["application/xhtml+xml", "text/html"])


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises DocumentError, and what zipfile and lxml raise."""
    with open_package(data, limits) as book:
        parts = {name: name for name in book.namelist()}
        try:
            described = next(parse_xml(book.read(CONTAINER)).iter(ROOT_FILE)).get("full-path") or ""
            package = parse_xml(book.read(described))
        except (KeyError, StopIteration) as error:
            raise UnreadableDocumentError("no EPUB: META-INF/container.xml names no package in it") from error
        files = {
            str(item.get("id")): (resolved(described, unquote(str(item.get("href")))), item.get("media-type"))
            for item in package.iter(f"{OPF}item")
        }
        composer = Composer()
        for place in package.iter(f"{OPF}itemref"):
            name, kind = files.get(str(place.get("idref")), ("", None))
            if name in parts and kind in PAGES:
                _page(composer, book, name, dirname(described))
        title = package.findtext(f".//{DC}title")
    return composer.document(title=title)


def _page(composer: Composer, book: ZipFile, name: str, base: str) -> None:
    page = parse_html(decode(book.read(name)))
    before = composer.text_of(page)
    parts = set(book.namelist())
    for reference in page.references:
        member = resolved(name, unquote(reference.target.partition("#")[0]))
        if reference.kind in NOT_EMBEDDED_KINDS:
            continue
        if member in parts:
            short = member.removeprefix(f"{base}/") if base else member
            composer.embed(reference, before, short, book.read(member))
        else:
            composer.keep(reference, before)
