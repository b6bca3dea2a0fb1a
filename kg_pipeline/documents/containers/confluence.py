"""Confluence's export of a space as one zip file: of its HTML pages, or of entities.xml; attachments are pictures.

Atlassian documents neither layout: `#main-content`, `data-image-src` and `attachments/PAGE/ID/VERSION` are what exports
have had since version 5.7.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from posixpath import basename, dirname
from typing import cast
from urllib.parse import unquote
from zipfile import ZipFile

from lxml import etree, html

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.containers.confluence_storage import Space, storage_as_html
from kg_pipeline.documents.containers.packages import open_package, parse_export, resolved
from kg_pipeline.documents.decoding import decode
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.html import parse_html
from kg_pipeline.documents.image_names import names_an_image
from kg_pipeline.documents.parsed import NOT_EMBEDDED_KINDS, EmbeddedPicture, ParsedDocument

ENTITIES, INDEX = "entities.xml", "index.html"
# Pages are written without line breaks, but lines are what passages are cut at.
_END_OF_BLOCK = re.compile(r"(</(?:p|h[1-6]|li|tr|table|ul|ol|div|pre|figure|blockquote)>|<br\s*/?>)")


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises DocumentError, and what zipfile and lxml raise."""
    with open_package(data, limits) as export:
        names = sorted(name for name in export.namelist() if not name.endswith("/"))
        entities = next((name for name in names if basename(name) == ENTITIES), None)
        index = min((name for name in names if basename(name) == INDEX), key=len, default=None)
        if entities is not None:
            return _of_entities(export, entities)
        if index is not None:
            return _of_pages(export, index, names)
    raise UnreadableDocumentError(f"no export of Confluence: there is neither {ENTITIES} nor {INDEX} in it")


def _of_pages(export: ZipFile, index: str, names: list[str]) -> ParsedDocument:
    contents = _parsed(export.read(index))
    links = [str(link.get("href") or "") for link in _found(contents, "//a")]
    linked = [resolved(index, unquote(link.partition("#")[0])) for link in links]
    pages = [name for name in names if name.endswith(".html") and name != index]
    order = {name: place for place, name in enumerate(dict.fromkeys(linked))}
    composer, called = Composer(), dict[str, str]()
    for name in sorted(pages, key=lambda page: (order.get(page, len(order)), page)):
        tree = _parsed(export.read(name))
        for link in _found(tree, "//img[@data-image-src] | //div[@class='greybox']//a[@href]"):
            # The picture itself in place of a smaller copy, and the name that people gave it.
            member = resolved(name, unquote(str(link.get("data-image-src") or link.get("href")).partition("?")[0]))
            alias = link.get("data-linked-resource-default-alias") or link.text or ""
            if member in names:
                called[member] = (alias if names_an_image(alias) else basename(member)).strip().replace("/", "_")
                if link.tag == "img":
                    link.set("src", str(link.get("data-image-src")))
        _page(composer, export, name, _title(tree), _main(tree), called, set(names))
    title = _words(contents, "//title")
    return _with_unused(composer.document(title=title), {called[name]: export.read(name) for name in sorted(called)})


def _parsed(page: bytes) -> html.HtmlElement:
    try:
        return html.document_fromstring(decode(page))
    except etree.ParserError:  # of a page without a single element
        return html.document_fromstring("<html/>")


def _title(tree: html.HtmlElement) -> str:
    """Without the name of the space, which stands before it."""
    words = _words(tree, "//*[@id='title-text']") or _words(tree, "//title")
    return words.partition(" : ")[2] or words


def _main(tree: html.HtmlElement) -> str:
    """The page without breadcrumbs, authors, list of attachments and footer."""
    found = _found(tree, "//*[@id='main-content']") or _found(tree, "//body") or [tree]
    return str(html.tostring(found[0], encoding="unicode", with_tail=False))


def _found(tree: html.HtmlElement, path: str) -> list[html.HtmlElement]:
    return cast(list[html.HtmlElement], tree.xpath(path))


def _words(tree: html.HtmlElement, path: str) -> str:
    return " ".join(" ".join(element.text_content() for element in _found(tree, path)[:1]).split())


def _of_entities(export: ZipFile, entities: str) -> ParsedDocument:
    space = Space.of(parse_export(export.read(entities)))
    folder = dirname(entities)
    files = {each.id: f"{folder}/{each.file}".lstrip("/") for each in space.attachments}
    there = set(export.namelist())
    called = {files[each.id]: each.name for each in space.attachments if files[each.id] in there}
    composer = Composer()
    for page in space.pages_in_order():
        body = storage_as_html(page, space, files)
        _page(composer, export, "", page.title, body, called, there)
    pictures = {name: export.read(member) for member, name in sorted(called.items()) if names_an_image(name)}
    return _with_unused(composer.document(title=space.name), pictures)


def _page(
    composer: Composer,
    export: ZipFile,
    name: str,
    title: str,
    body: str,
    called: Mapping[str, str],
    there: set[str],
) -> None:
    composer.page()
    composer.heading(1, title)
    parsed = parse_html(_END_OF_BLOCK.sub(r"\1\n", body))
    before = composer.text_of(parsed)
    for reference in parsed.references:
        member = resolved(name, unquote(reference.target.partition("#")[0].partition("?")[0]))
        if member in there and reference.kind not in NOT_EMBEDDED_KINDS:
            composer.embed(reference, before, called.get(member, basename(member)), export.read(member))
        else:
            composer.keep(reference, before)


def _with_unused(document: ParsedDocument, attached: Mapping[str, bytes]) -> ParsedDocument:
    """With the attachments that no page shows: pictures that nobody uses are what the report is about."""
    return replace(document, pictures=(*document.pictures, *_unused(document, attached)))


def _unused(document: ParsedDocument, attached: Mapping[str, bytes]) -> Iterator[EmbeddedPicture]:
    known = {sha256(picture.data).digest() for picture in document.pictures}
    names = {picture.name for picture in document.pictures}
    for name, data in attached.items():
        if names_an_image(name) and name not in names and sha256(data).digest() not in known:
            known.add(sha256(data).digest())
            yield EmbeddedPicture(name, data)
