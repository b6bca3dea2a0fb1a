"""Template tags in source pages (Liquid, Hugo shortcodes, JSX): set aside while parsing, and what images they name."""

import html
import re
from collections.abc import Iterator

from kg_pipeline.documents.image_names import names_an_image

# Private-use characters: no parser of ours gives them a meaning, no real text holds them.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
# Stands on the further lines of a tag, which as blank lines would end a paragraph.
_FURTHER_LINE = "\ue0f4"
_PLACEHOLDER = re.compile(f"{_OPEN}(\\d+){_CLOSE}(?:\n{_FURTHER_LINE})*")
# 600: longer than any shortcode seen, short enough that a stray `{{` does not swallow a page.
_TAG = re.compile(
    r"(?P<jsx>=)(?P<value>\{\{(?:(?!\{\{|\}\}).){0,600}\}\}|\{[^{}\n]{1,300}\})"
    r"|\{\{(?:(?!\{\{).){1,600}?\}\}|\{%(?:(?!\{%).){1,600}?%\}",
    re.DOTALL,
)
_COMMENT_TAGS = (
    (re.compile(r"\{%-?\s*comment\s*-?%\}"), "<!--"),
    (re.compile(r"\{%-?\s*endcomment\s*-?%\}"), "-->"),
)
_JSX_COMMENT = re.compile(r"\{/\*((?:(?!\*/).){0,5000})\*/\}", re.DOTALL)
_CODE_TAG = re.compile(
    r"(?P<open>\{%-?\s*highlight\b[^%\n]*%\}|\{\{[<%]\s*highlight\b[^>%\n]*[>%]\}\})(?P<code>.*?)"
    r"(?P<close>\{%-?\s*endhighlight\s*-?%\}|\{\{[<%]\s*/highlight\s*[>%]\}\})",
    re.DOTALL,
)
"""Jekyll's and Hugo's way to write a code block."""
_IMAGE_TAG = re.compile(
    r"\{(?:\{[<%]|%-?)\s*(?:include(?:_relative|_cached)?\s+)?(?P<name>[\w./-]*(?:figure|image|img|picture|screenshot"
    r"|photo|thumb|lightbox)[\w./-]*)\s(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'%>}]+))")
_IMPORT = re.compile(
    r"^[ \t]*(?:import[ \t]+(\w+)[ \t]+from[ \t]+|(?:const|let|var)[ \t]+(\w+)[ \t]*=[ \t]*require\([ \t]*)"
    r"['\"]([^'\"\n]+)['\"]",
    re.MULTILINE,
)
_QUOTED = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'|`([^`\n]+)`")
_SOURCES = ("src", "url", "file", "image", "image_path", "path", "link", "source", "img", "filename")


class TemplateTags:
    """The template tags of one text, each replaced by a placeholder without spaces and quotes."""

    def __init__(self) -> None:
        self._tags: list[str] = []
        self.imports: dict[str, str] = {}
        """JSX variable → the file that it was imported from."""

    def set_aside(self, text: str) -> str:
        """`text` with placeholders; the number of lines stays."""
        self.imports |= {name or other: path for name, other, path in _IMPORT.findall(text)}
        if "highlight" in text:
            text = _CODE_TAG.sub(lambda match: f"<pre>{html.escape(match['code'])}</pre>", text)
        for tag, mark in _COMMENT_TAGS:
            text = tag.sub(mark, text)
        if "{/*" in text:
            text = _JSX_COMMENT.sub(r"<!--\1-->", text)
        return _TAG.sub(self._placeholder, text) if "{" in text else text

    def _placeholder(self, match: re.Match[str]) -> str:
        tag = match["value"] or match[0]
        self._tags.append(tag)
        placeholder = f"{_OPEN}{len(self._tags) - 1}{_CLOSE}" + f"\n{_FURTHER_LINE}" * tag.count("\n")
        return f'="{placeholder}"' if match["jsx"] else placeholder

    def restore(self, text: str) -> str:
        """`text` as it was written."""
        return _PLACEHOLDER.sub(lambda match: self._tags[int(match[1])], text) if _OPEN in text else text

    def remove(self, text: str) -> str:
        """`text` without template tags: they are no prose."""
        return _PLACEHOLDER.sub("", text).replace(_FURTHER_LINE, "")

    def images(self, text: str) -> Iterator[tuple[int, str, str | None, str | None]]:
        """(offset, target, alt, caption) of the image shortcodes in `text`."""
        for match in _PLACEHOLDER.finditer(text) if _OPEN in text else ():
            tag = _IMAGE_TAG.match(self._tags[int(match[1])])
            if tag is None:
                continue
            attributes = {name.lower(): a or b or c for name, a, b, c in _ATTRIBUTE.findall(tag["rest"])}
            target = next((attributes[name] for name in _SOURCES if attributes.get(name)), None)
            target = target or next((text for text in quoted(tag["rest"]) if names_an_image(text)), None)
            if target is None:
                target = next((word for word in tag["rest"].split() if names_an_image(word) and "=" not in word), None)
            if target:
                caption = attributes.get("caption") or attributes.get("title")
                yield match.start(), target, attributes.get("alt"), caption


def quoted(expression: str) -> list[str]:
    """The string literals of an expression."""
    return [a or b or c for a, b, c in _QUOTED.findall(expression)]
