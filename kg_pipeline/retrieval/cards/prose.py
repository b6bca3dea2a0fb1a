"""Text of a passage as HTML: paragraphs, list items, rows of tables, emphasis; everything else is escaped."""

import re
from collections.abc import Iterator
from itertools import groupby

from markupsafe import Markup, escape

LETTERS = 900
"""Of a section on a card; the document has the rest."""

_ITEM = re.compile(r"\s*(?:[-*+•]|(\d+)[.)、])\s+(.*)")
_STRONG = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
_CODE = re.compile(r"`([^`]+)`")


def prose(text: str) -> Markup:
    """The blocks of a passage, cut at the end of the line that passes LETTERS."""
    return Markup("").join(_blocks(_shortened(text).splitlines()))


def inline(text: str) -> Markup:
    """A line with **strong** and `code`."""
    return Markup(_CODE.sub(r"<code>\1</code>", _STRONG.sub(r"<strong>\1</strong>", str(escape(text)))))


def _blocks(lines: list[str]) -> Iterator[Markup]:
    # Blank lines separate paragraphs, but not the head of a table from its rows.
    for kind, group in groupby((line for line in lines if line.strip()), key=_kind):
        if kind == "row":
            yield _table([[cell.strip() for cell in line.split(" | ")] for line in group])
        elif kind == "item":
            yield Markup("<ul>{}</ul>").format(Markup("").join(_item(line) for line in group))
        else:
            yield Markup("").join(Markup("<p>{}</p>").format(inline(line)) for line in group)


def _kind(line: str) -> str:
    if " | " in line:
        return "row"
    return "item" if _ITEM.match(line) else "paragraph"


def _item(line: str) -> Markup:
    match = _ITEM.match(line)
    assert match is not None
    number, text = match.groups()
    if number:
        return Markup('<li class="numbered"><b>{}.</b> {}</li>').format(number, inline(text))
    return Markup("<li>{}</li>").format(inline(text))


def _table(rows: list[list[str]]) -> Markup:
    head, *rest = [Markup("").join(Markup("<td>{}</td>").format(inline(cell)) for cell in row) for row in rows]
    body = Markup("").join(Markup("<tr>{}</tr>").format(row) for row in rest)
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(
        head, body
    )


def _shortened(text: str) -> str:
    if len(text) <= LETTERS:
        return text
    end = text.find("\n", LETTERS)
    return text if end < 0 or end > 2 * LETTERS else text[:end] + "\n…"
