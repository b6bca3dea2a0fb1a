"""Passages as a person reads them: the marks of Markdown are taken out, the words stay."""

from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

MARKDOWN_FORMATS = frozenset({"markdown"})
MARKS = frozenset("*_`[<\\")
"""Text without any of them reads the same before and after, which most passages of other formats do."""


def plain(text: str, format_: str | None) -> str:
    """`text` without emphasis, links and code marks when its document is Markdown; else as it is."""
    if format_ not in MARKDOWN_FORMATS or not MARKS.intersection(text):
        return text
    bullets: list[str] = []
    lines = [line for token in _parser().parse(text) if (line := _line(token, bullets))]
    return "\n".join(lines)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def _line(token: Token, bullets: list[str]) -> str:
    """What a block says; the mark of a list item waits in `bullets` for its first words."""
    if token.type == "list_item_open":
        bullets[:] = [f"{token.info}{token.markup} " if token.info else "• "]
        return ""
    if token.type in {"fence", "code_block"}:
        said = token.content.rstrip("\n")
    elif token.type == "inline":
        said = "".join(_words(child) for child in token.children or ())
    else:
        return ""
    mark = bullets.pop() if bullets else ""
    return mark + said


def _words(token: Token) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return "\n"
    return token.content if token.type in {"text", "code_inline", "text_special"} else ""
