"""Sentences of a passage, English and Chinese, and the line of the document that each stands on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kg_pipeline.candidates.tokens import squash, tokens

MIN_WORDS = 4
"""Shorter ones (in words, or pairs of Chinese characters) are labels, not sentences."""
MAX_LETTERS = 400
PROBES = (MAX_LETTERS, 48, 24, 12)
"""So many of its first letters are looked for in the source, fewer when markup in its middle hides the rest."""

# Chinese signs end a sentence wherever they stand, Latin ones before a space and what begins one. Not after a number
# (`4. Tighten`), a single letter (`e.g.`, `J. Smith`) or a usual abbreviation.
_END = re.compile(
    r"(?<=[。！？；!?…])[”’」』）)]*(?=\S)|(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9\u3400-\u9fff])",
)
_NO_END = re.compile(r"(?:^|\W)(?:[A-Za-z]|\d+|e\.g|i\.e|etc|vs|cf|ca|No|Fig|Figs|Eq|Dr|Mr|Mrs|Ms|approx|max|min)\.$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)、]|[（(]?\d+[)）])\s+")


@dataclass(frozen=True)
class Sentence:
    """A sentence in its place."""

    text: str
    document: str
    line: int | None
    page: int | None
    chunk_id: str


def split_sentences(text: str) -> list[str]:
    """Sentences of a text whose lines are paragraphs, list items or rows; headings, rows and labels are left out.

    A list item is a sentence of its own, without its mark.
    """
    found: list[str] = []
    for line in text.splitlines():
        if " | " in line:  # the row of a table
            continue
        found += _split(_ITEM.sub("", line).strip())
    return [one for one in found if _is_whole(one)]


def line_of(sentence: str, source: Sequence[str], first: int, last: int) -> int:
    """The line, from 1, of `source` between `first` and `last` on which the sentence begins; `first` where unknown.

    Letters and digits alone are compared, so that emphasis, links and quotes of markup do not count.
    """
    letters = squash(sentence)
    lines = [squash(line) for line in source[first - 1 : last]]
    joined = "".join(lines)
    place = next((found for size in PROBES if (found := joined.find(letters[:size])) >= 0), -1) if letters else -1
    if place < 0:
        return first
    end = 0
    for number, line in enumerate(lines):
        end += len(line)
        if place < end:
            return first + number
    return first


def _is_whole(sentence: str) -> bool:
    """Whether it says something without what follows; what ends in a colon announces a list."""
    return len(sentence) <= MAX_LETTERS and sentence[-1] not in ":：" and len(tokens(sentence)) >= MIN_WORDS


def _split(line: str) -> list[str]:
    parts, start = [], 0
    for match in _END.finditer(line):
        piece = line[start : match.end()].strip()
        if _NO_END.search(piece):
            continue
        parts.append(piece)
        start = match.end()
    return [part for part in (*parts, line[start:].strip()) if part]
