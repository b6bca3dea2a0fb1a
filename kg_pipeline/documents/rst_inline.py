"""Inline markup of reStructuredText and of the Markdown mixed into it: links, roles, substitutions."""

import re
from dataclasses import dataclass

from kg_pipeline.documents.image_names import names_an_image
from kg_pipeline.documents.parsed import ImageReference

_LITERAL = re.compile(r"``.+?``")
_USE = re.compile(r"(?=(?<![\w`])\|(?P<name>[^|\s](?:[^|\n]*[^|\s])?)\|)")
_KEPT_ROLES = frozenset(["guilabel", "menuselection", "kbd", "code", "samp", "command"])
_ROLE = re.compile(r":(?P<role>[A-Za-z][\w:+.-]*):`(?P<text>[^`]*)`")
_LINK = re.compile(r"`(?P<text>[^`<]*?)\s*<(?P<uri>[^<>`]+)>`__?")
_REFERENCE = re.compile(r"`(?P<text>[^`]+)`__?(?!\w)")
_MARKDOWN_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?(?P<uri>[^()\s>]+(?:\([^()\s]*\)[^()\s>]*)?)>?"
    r"(?:\s+\"(?P<title>[^\"]*)\")?\s*\)"
)


_NAMED = re.compile(r"(?P<text>.*?)\s*<(?P<uri>[^<>]+)>")
_SET_ASIDE = re.compile("\ue0f2(\\d+)\ue0f3")


@dataclass(frozen=True)
class _Substitution:
    kind: str
    target: str
    alt: str | None


class InlineMarkup:
    """The references of one document, and its substitutions: they may be used before they are defined."""

    def __init__(self) -> None:
        self.references: list[ImageReference] = []
        self._substitutions: dict[str, _Substitution] = {}
        self._replacements: dict[str, str] = {}
        self._uses: list[tuple[int, str]] = []

    def refer(self, line: int, kind: str, target: str, alt: str | None = None, caption: str | None = None) -> None:
        """Note an image at `line` (from 1)."""
        self.references.append(ImageReference(line, kind, target.strip(), alt, caption))

    def define(self, name: str, kind: str, target: str, alt: str | None) -> None:
        """`.. |name| image:: target`."""
        self._substitutions[_normal(name)] = _Substitution(kind, target, alt)

    def replace(self, name: str, text: str) -> None:
        """`.. |name| replace:: text`."""
        self._replacements[_normal(name)] = text

    def substituted_images(self) -> list[ImageReference]:
        """A reference for every place where an image substitution is used."""
        return [
            ImageReference(line, substitution.kind, substitution.target, substitution.alt)
            for line, name in self._uses
            if (substitution := self._substitutions.get(name))
        ]

    def prose(self, text: str, line: int) -> str:
        """`text` of line `line` (from 1) without markup; its images, links to images and substitutions are noted."""
        literals: list[str] = []

        def set_aside(match: re.Match[str]) -> str:
            literals.append(match[0])
            return f"\ue0f2{len(literals) - 1}\ue0f3"

        def link(match: re.Match[str]) -> str:
            if names_an_image(match["uri"]):
                self.refer(line, "link", match["uri"])
            return match["text"]

        def markdown(match: re.Match[str]) -> str:
            if match["image"]:
                self.refer(line, "md_image", match["uri"], match["text"], match["title"])
                return ""
            link(match)
            return _MARKDOWN_LINK.sub(markdown, match["text"])

        def role(match: re.Match[str]) -> str:
            named = _NAMED.fullmatch(match["text"])
            if named and names_an_image(named["uri"]):
                self.refer(line, "link", named["uri"])
            if match["role"].lower().split(":")[-1] in _KEPT_ROLES:
                return set_aside(match)
            return named["text"] if named else _shown(match["text"])

        text = _LITERAL.sub(set_aside, text)
        self._uses += [(line, _normal(match["name"])) for match in _USE.finditer(text)]
        for markup, reading in ((_MARKDOWN_LINK, markdown), (_ROLE, role), (_LINK, link), (_REFERENCE, _text)):
            text = markup.sub(reading, text)
        return _SET_ASIDE.sub(lambda match: literals[int(match[1])], text)

    def substituted(self, prose: str) -> str:
        """`prose` with text substitutions in place and image substitutions taken out."""
        if "|" not in prose:
            return prose
        for match in reversed(list(_USE.finditer(prose))):
            name = _normal(match["name"])
            if name in self._substitutions or name in self._replacements:
                end = match.start() + len(match["name"]) + 2
                prose = prose[: match.start()] + self._replacements.get(name, "") + prose[end:].removeprefix("_")
        return prose


def _shown(target: str) -> str:
    """What Sphinx shows of the target of a role: of `~package.Class` the last part, of `!name` the name."""
    return re.split(r"\.|::", target)[-1] if target.startswith("~") else target.removeprefix("!")


def _text(match: re.Match[str]) -> str:
    return match["text"]


def _normal(name: str) -> str:
    """Names of substitutions match without regard to case and runs of spaces."""
    return " ".join(name.split()).casefold()
