"""The pages of entities.xml of a Confluence export, and their storage format as HTML."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import quote

from lxml import etree

# https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html
_IMAGE = re.compile(r"<ac:image\b([^>]*)>(.*?)</ac:image>", re.DOTALL)
_FILE = re.compile(r'<ri:attachment\b[^>]*?ri:filename="([^"]*)"')
_URL = re.compile(r'<ri:url\b[^>]*?ri:value="([^"]*)"')
_OF_PAGE = re.compile(r'<ri:page\b[^>]*?ri:content-title="([^"]*)"')
_ALT = re.compile(r'\bac:(?:alt|title)="([^"]*)"')
_CAPTION = re.compile(r"<ac:caption>(.*?)</ac:caption>", re.DOTALL)
_CODE = re.compile(r"<ac:plain-text-body>\s*<!\[CDATA\[(.*?)\]\]>\s*</ac:plain-text-body>", re.DOTALL)
_PLAIN = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_UNREAD = re.compile(r"<ac:(parameter|task-id|task-status)\b[^>]*>.*?</ac:\1>", re.DOTALL)


@dataclass(frozen=True)
class WikiPage:
    """A page as it is now."""

    id: str
    title: str
    parent: str | None
    position: int
    body: str


@dataclass(frozen=True)
class Attachment:
    """A file attached to a page."""

    id: str
    page: str
    name: str
    version: str

    @property
    def file(self) -> str:
        """Where it lies, from the folder of entities.xml."""
        return f"attachments/{self.page}/{self.id}/{self.version}"


@dataclass(frozen=True)
class Space:
    """What is current in a space."""

    name: str | None
    pages: tuple[WikiPage, ...]
    attachments: tuple[Attachment, ...]

    @classmethod
    def of(cls, root: etree._Element) -> "Space":
        """Earlier versions, drafts and what was deleted are left out."""
        objects: dict[str, list[etree._Element]] = defaultdict(list)
        for each in root.iterfind("object"):
            objects[each.get("class") or ""].append(each)
        bodies = {_link(each, "content"): _text(each, "body") for each in objects["BodyContent"]}
        posts = [each for kind in ("Page", "BlogPost") for each in objects[kind] if _is_current(each)]
        pages = tuple(
            WikiPage(
                _id(each),
                _text(each, "title"),
                _link(each, "parent"),
                _number(each, "position"),
                bodies.get(_id(each), ""),
            )
            for each in posts
        )
        attachments = tuple(
            Attachment(
                _id(each),
                page,
                (_text(each, "title") or _text(each, "fileName")).replace("/", "_"),
                _text(each, "version") or _text(each, "attachmentVersion") or "1",
            )
            for each in objects["Attachment"]
            for page in [_link(each, "containerContent") or _link(each, "content")]
            if page and _is_current(each)
        )
        name = next((_text(each, "name") for each in objects["Space"]), None)
        return cls(name or None, pages, attachments)

    def pages_in_order(self) -> Iterator[WikiPage]:
        """Each page before those below it, as the tree of pages shows them."""
        below: dict[str | None, list[WikiPage]] = defaultdict(list)
        ids = {page.id for page in self.pages}
        for page in sorted(self.pages, key=lambda page: (page.position, page.title, page.id)):
            below[page.parent if page.parent in ids else None].append(page)
        waiting, seen = below[None][::-1], set[str]()
        while waiting:
            page = waiting.pop()
            if page.id not in seen:
                seen.add(page.id)
                yield page
                waiting += below[page.id][::-1]
        yield from (page for page in self.pages if page.id not in seen)  # pages that are below each other


def storage_as_html(page: WikiPage, space: Space, files: Mapping[str, str]) -> str:
    """The body with pictures as `img` and code as `pre`; `files` has the place of each attachment by its id."""
    titles = {each.id: each.title for each in space.pages}
    places = {(titles.get(each.page), each.name): files[each.id] for each in space.attachments}

    def picture(match: re.Match[str]) -> str:
        attributes, inner = match.groups()
        caption, alt = _CAPTION.search(inner), _ALT.search(attributes)
        named, other, url = _FILE.search(inner), _OF_PAGE.search(inner), _URL.search(inner)
        if named:
            holder, name = unescape(other[1]) if other else page.title, unescape(named[1])
            source = quote(places.get((holder, name), name))
        else:
            source = unescape(url[1]) if url else ""
        said = f"<figcaption>{caption[1]}</figcaption>" if caption else ""
        alternative = escape(unescape(alt[1])) if alt else ""
        return f'<figure><img src="{escape(source)}" alt="{alternative}">{said}</figure>'

    body = _CODE.sub(lambda match: f"<pre>{escape(match[1])}</pre>", page.body)
    body = _UNREAD.sub(" ", _IMAGE.sub(picture, body))
    return _PLAIN.sub(lambda match: escape(match[1]), body)


def _is_current(element: etree._Element) -> bool:
    status = _text(element, "contentStatus") or "current"
    return status == "current" and _link(element, "originalVersion") is None


def _id(element: etree._Element) -> str:
    return (element.findtext("id") or "").strip()


def _property(element: etree._Element, name: str) -> etree._Element | None:
    return next((each for each in element.iterfind("property") if each.get("name") == name), None)


def _text(element: etree._Element, name: str) -> str:
    found = _property(element, name)
    return (found.text or "").strip() if found is not None else ""


def _link(element: etree._Element, name: str) -> str | None:
    """The id of what a property means."""
    found = _property(element, name)
    return (found.findtext("id") or "").strip() or None if found is not None else None


def _number(element: etree._Element, name: str) -> int:
    text = _text(element, name)
    return int(text) if text.isdecimal() else 0
