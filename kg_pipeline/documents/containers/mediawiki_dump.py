"""MediaWiki's XML export: the newest text of every page, a page of the wiki being a page, with uploads that lie in it.

https://www.mediawiki.org/wiki/Help:Export; dumpBackup.php writes the same, with uploads after --include-files.
"""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.containers.packages import parse_export
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.mediawiki import parse_mediawiki
from kg_pipeline.documents.parsed import NOT_EMBEDDED_KINDS, ParsedDocument

ARTICLES, FILES = frozenset({0, 4, 12, 14}), 6
"""Namespaces with prose: articles, the project's pages, help, categories; others from 100 on are the wiki's own."""
FIRST_OWN, MODULES = 100, 828
WIKITEXT = "wikitext"


@dataclass(frozen=True)
class _Page:
    title: str
    text: str
    upload: tuple[str, bytes] | None = None
    """Name and content, where the page describes a file that lies in the export."""


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises UnreadableDocumentError, and what lxml and base64 raise."""
    root = parse_export(data)
    if etree.QName(root).localname != "mediawiki":
        raise UnreadableDocumentError("no export of MediaWiki: its outermost element is not <mediawiki>")
    pages = list(_pages(root))
    uploads = {_key(page.upload[0]): page.upload for page in pages if page.upload}
    composer = Composer()
    for page in pages:
        composer.page()
        composer.heading(1, page.title)
        parsed = parse_mediawiki(page.text)
        before = composer.text_of(parsed)
        for reference in parsed.references:
            name, content = uploads.get(_key(reference.target), ("", b""))
            if content and reference.kind not in NOT_EMBEDDED_KINDS:
                composer.embed(reference, before, name, content)
            else:
                composer.keep(reference, before)
        if page.upload:
            composer.picture(*page.upload)
    return composer.document(title=root.findtext("{*}siteinfo/{*}sitename"))


def _pages(root: etree._Element) -> Iterator[_Page]:
    for page in root.iterfind("{*}page"):
        namespace = int(page.findtext("{*}ns") or 0)
        revisions = page.findall("{*}revision")
        if page.find("{*}redirect") is not None or not revisions or not _has_prose(namespace):
            continue
        newest = max(revisions, key=lambda revision: revision.findtext("{*}timestamp") or "")
        if (newest.findtext("{*}model") or WIKITEXT) == WIKITEXT:
            yield _Page(page.findtext("{*}title") or "", newest.findtext("{*}text") or "", _upload(page))


def _has_prose(namespace: int) -> bool:
    return namespace in ARTICLES or namespace == FILES or (namespace >= FIRST_OWN and namespace % 2 == 0 != MODULES)


def _upload(page: etree._Element) -> tuple[str, bytes] | None:
    uploads = [upload for upload in page.iterfind("{*}upload") if upload.findtext("{*}contents")]
    if not uploads:
        return None
    newest = max(uploads, key=lambda upload: upload.findtext("{*}timestamp") or "")
    name = (newest.findtext("{*}filename") or "file").replace("/", "_")
    return name, b64decode(newest.findtext("{*}contents") or "")


def _key(name: str) -> str:
    """Names that mean the same file: the first letter's case and spaces say nothing."""
    plain = name.strip().replace(" ", "_")
    return plain[:1].upper() + plain[1:]
