"""Cutting a document into passages: at headings, then where a paragraph begins."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from kg_pipeline.documents.parsed import Cut, Heading, ParsedDocument

# In characters, wide (CJK) ones counting double.
ENOUGH = 800
AT_MOST = 1200
# A forced cut rather splits a list than leave a passage shorter than this.
TOO_SHORT = 400

_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


@dataclass(frozen=True)
class Passage:
    """Rows `row_start` to `row_end` (from 1, inclusive), the lines of the file that they stand on, and their prose."""

    row_start: int
    row_end: int
    line_start: int
    line_end: int
    heading_path: tuple[str, ...]
    text: str
    page: int | None = None


@dataclass(frozen=True)
class _Line:
    number: int
    size: int
    cut: int
    is_heading: bool
    begins_page: bool


def cut_passages(document: ParsedDocument, title: str) -> list[Passage]:
    """Passages that tile rows 1…N. Rows without prose (images, markup) join the passage before them.

    Where the document has pages, none goes over a page's end.

    A document without prose is one passage with `title` as its text.
    """
    prose = document.prose or ("",)
    starts = _starts(_prose_lines(document))
    if not starts:
        return [_passage(document, 1, len(prose), (), title, 1 if document.pages else None)]
    paths = _heading_paths(document.headings)
    headings = {heading.line for heading in document.headings}
    passages = []
    for start, following in zip([1, *starts[1:]], [*starts[1:], len(prose) + 1], strict=True):
        filled = [number for number in range(start, following) if prose[number - 1].strip()]
        body = next((number for number in filled if number not in headings), filled[-1])
        text = _BLANK_LINES.sub("\n\n", "\n".join(prose[start - 1 : following - 1])).strip("\n")
        page = bisect_right(document.pages, filled[0]) or None
        passages.append(_passage(document, start, following - 1, _path_at(paths, body), text, page))
    return passages


def _passage(
    document: ParsedDocument, start: int, end: int, headings: tuple[str, ...], text: str, page: int | None
) -> Passage:
    return Passage(start, end, document.line_of(start), document.line_of(end), headings, text, page)


def width(text: str) -> int:
    """Number of characters, wide ones counting double."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _prose_lines(document: ParsedDocument) -> list[_Line]:
    headings = {heading.line for heading in document.headings}
    filled = [(number, line) for number, line in enumerate(document.prose, start=1) if line.strip()]
    pages = [bisect_right(document.pages, number) for number, _ in filled]
    return [
        _Line(number, width(line) + 1, document.cuts.get(number, 0), number in headings, page != page_before)
        for (number, line), page, page_before in zip(filled, pages, [0, *pages], strict=False)
    ]


def _starts(lines: Iterable[_Line]) -> list[int]:
    """First prose line of each passage."""
    starts: list[int] = []
    current: list[_Line] = []
    size, has_body = 0, False
    for line in lines:
        ends = has_body and (line.is_heading or (size >= ENOUGH and line.cut == Cut.PARAGRAPH))
        if current and (ends or line.begins_page):
            starts.append(current[0].number)
            current, size, has_body = [], 0, False
        current.append(line)
        size, has_body = size + line.size, has_body or not line.is_heading
        while has_body and size > AT_MOST and (split := _split(current)):
            starts.append(current[0].number)
            current = current[split:]
            size = sum(kept.size for kept in current)
            has_body = any(not kept.is_heading for kept in current)
    if current:
        starts.append(current[0].number)
    return starts


def _split(lines: list[_Line]) -> int | None:
    """Where to cut lines that are too many: index of the line that begins the next passage."""
    best: tuple[tuple[bool, int, int], int] | None = None
    size = 0
    has_body = False
    for index, line in enumerate(lines):
        if has_body and size <= AT_MOST:
            # A table or code block is cut only when no cut at a paragraph or list item is there at all.
            quality = (size >= TOO_SHORT and line.cut > 0, line.cut, index)
            best = max(best, (quality, index)) if best else (quality, index)
        size += line.size
        has_body = has_body or not line.is_heading
    if best is None and len(lines) > 1 and has_body:
        return len(lines) - 1
    return best[1] if best else None


def _heading_paths(headings: tuple[Heading, ...]) -> dict[int, tuple[str, ...]]:
    """Line of a heading → the headings in force from there on."""
    stack: list[Heading] = []
    paths: dict[int, tuple[str, ...]] = {}
    for heading in headings:
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        stack.append(heading)
        paths[heading.line] = tuple(above.text for above in stack)
    return paths


def _path_at(paths: dict[int, tuple[str, ...]], line: int) -> tuple[str, ...]:
    lines = list(paths)
    above = bisect_right(lines, line)
    return paths[lines[above - 1]] if above else ()
