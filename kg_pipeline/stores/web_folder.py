"""Folders of web servers: the pages on which Apache, nginx, lighttpd and Python list a folder, and nothing else.

A page of a login or an error with status 200 must not pass for an empty folder, so a page counts only with the title
that these servers give their listings. Entries are links one step below the page itself; all others are left alone.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import unquote, urljoin

from lxml import etree, html

from kg_pipeline.store_addresses import StoreAddress, parse_address
from kg_pipeline.stores.errors import ObjectError, StoreError
from kg_pipeline.stores.objects import StoreObject
from kg_pipeline.stores.web import Web

TITLE = re.compile(r"\s*(index of|directory listing for|directory:)", re.IGNORECASE)
PAGE_BYTES = 50_000_000
MOST_FOLDERS = 100_000


class WebFolder:
    """A folder that a web server lists, with all below it."""

    def __init__(self, address: StoreAddress, web: Web) -> None:
        """Nothing is asked yet."""
        self._address = address
        self._web = web

    def pages(self) -> Iterator[list[StoreObject]]:
        """The files of one folder after the other. Raises StoreError."""
        pending, seen = [self._address], 0
        while pending:
            here = pending.pop()
            seen += 1
            if seen > MOST_FOLDERS:
                raise StoreError(f"{self._address} cannot be listed: more than {MOST_FOLDERS:,} folders")
            files, folders = self._entries(here)
            pending += sorted(folders, key=str, reverse=True)
            yield files

    def _entries(self, here: StoreAddress) -> tuple[list[StoreObject], list[StoreAddress]]:
        page = BytesIO()
        try:
            self._web.fetch(StoreObject("", str(here), ask=here.whole), None, page, PAGE_BYTES)
            root = html.fromstring(page.getvalue())
        except ObjectError as error:
            raise StoreError(f"{here} cannot be listed: {error}") from None
        except (etree.ParserError, etree.XMLSyntaxError, ValueError):
            raise _no_listing(here) from None
        if not TITLE.match(root.findtext(".//title") or ""):
            raise _no_listing(here)
        files: dict[str, StoreObject] = {}
        folders: dict[str, StoreAddress] = {}
        for link in root.iter("a"):
            found = _below(here, link.get("href") or "")
            if found is None:
                continue
            if found.path.endswith("/"):
                folders[str(found)] = found
            else:
                key = unquote(found.path[len(self._address.path) :])
                files[key] = StoreObject(key, str(found), ask=found.whole, look=_look(link))
        return [files[key] for key in sorted(files)], list(folders.values())


def _below(here: StoreAddress, href: str) -> StoreAddress | None:
    """The address of a link that is one step below `here`, else None."""
    try:
        found = parse_address(urljoin(here.whole, href))
    except ValueError:
        return None
    step = found.path[len(here.path) :].removesuffix("/")
    is_below = found.server == here.server and found.path.startswith(here.path) and not found.query
    return found if is_below and step and "/" not in step and step not in (".", "..") else None


def _look(link: html.HtmlElement) -> str:
    """Time and size that stand beside a link, as far as the server shows them."""
    row = next(link.iterancestors("tr"), None)
    return " ".join((row.text_content() if row is not None else link.tail or "").split())


def _no_listing(here: StoreAddress) -> StoreError:
    return StoreError(
        f"{here} cannot be listed: the page is not the listing of a folder as Apache, nginx or Python make it; "
        "give a manifest"
    )
