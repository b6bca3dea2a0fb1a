"""The ways in which a target can be read, best first: as written, without query, decoded, without template tags."""

import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

REMOTE = re.compile(r"(?:[a-z][a-z0-9+.-]*://|//|mailto:|blob:|about:|cid:|tel:|javascript:)", re.IGNORECASE)
ABSOLUTE_FILE = re.compile(r"(?:file:|[a-z]:[\\/]|\\\\)", re.IGNORECASE)
# A path that begins so and is not found on the site is one of somebody's machine.
SYSTEM_FOLDERS = re.compile(r"/(?:bin|dev|etc|home|mnt|opt|private|proc|root|sys|tmp|usr|var|Users|Volumes)/")
DATA = re.compile(r"data:", re.IGNORECASE)

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{[\w.]+\}|<%=?.*?%>|\$\{[^}]*\}|%PUBLIC_URL%|\|filename\|", re.DOTALL)
# Pelican: beside the page, unless a slash follows.
_ATTACHED = re.compile(r"(?:\{(?:attach|static|filename)\}|\|filename\|)(?!/)")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_LINK_TAG = re.compile(r"\{%-?\s*(?:link|static|asset|asset_path|post_url)\s+([^\s\"'%]+)\s*-?%\}")
_QUERY = re.compile(r"[?#].*$", re.DOTALL)

Reading = tuple[str, tuple[str, ...]]
"""A way to read a target, and the names of the rules that led to it."""


def readings(target: str) -> Iterator[Reading]:
    """Each way to read `target` once, with the rules that were applied."""
    seen = set()
    for written, template_rules in _templates(target.strip()):
        for text, rules in _spellings(written):
            if text and text not in seen:
                seen.add(text)
                yield text, template_rules + rules


def _templates(target: str) -> Iterator[Reading]:
    """Without template tags: `{{ site.baseurl }}/a.png`, `{{ "/a.png" | relative_url }}`, `{% link a.png %}`."""
    yield target, ()
    if not _TEMPLATE.search(target):
        return

    def value(match: re.Match[str]) -> str:
        if link := _LINK_TAG.fullmatch(match[0]):
            return "/" + link[1].lstrip("/")
        literals = [a or b for a, b in _QUOTED.findall(match[0])]
        path = next((literal for literal in literals if "/" in literal or "." in literal), "")
        return "/" + path.lstrip("/") if path else ""

    path = _TEMPLATE.sub(value, target)
    # A base address in front means the site's root; a tag elsewhere leaves a relative path relative.
    if _TEMPLATE.match(target):
        path = "/" + path.lstrip("/")
    yield re.sub(r"(?<!:)//+", "/", path), ("liquid",)
    if attached := _ATTACHED.match(target):
        yield target[attached.end() :], ("liquid",)


def _spellings(target: str) -> Iterator[Reading]:
    for text, query in _each(target, _QUERY.sub("", target), "query_stripped"):
        for plain, entity in _each(text, html.unescape(text), "entity_decoded"):
            for slashed, backslash in _each(plain, plain.replace("\\", "/"), "backslash"):
                for decoded, percent in _each(slashed, unquote(slashed), "url_decoded"):
                    yield decoded, query + entity + backslash + percent


def _each(text: str, other: str, rule: str) -> Iterator[Reading]:
    yield text, ()
    if other != text:
        yield other, (rule,)


def folded(path: str) -> str:
    """The path as a disk sees it that ignores case and Unicode composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def spelling_rules(wanted: str, real: str) -> tuple[str, ...]:
    """By which rules `wanted` means the file `real`: none when they are equal."""
    if wanted == real:
        return ()
    composed = unicodedata.normalize("NFC", wanted), unicodedata.normalize("NFC", real)
    rules = () if composed[0] == wanted and composed[1] == real else ("unicode_normalized",)
    return rules if composed[0] == composed[1] else (*rules, "case_insensitive")
