"""Scanned pages: what OCR read in the picture of a page becomes the page's text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from kg_pipeline.documents.parsed import Cut, ParsedDocument


def with_scans(document: ParsedDocument, texts: Mapping[str, Sequence[str]]) -> ParsedDocument:
    """`document` with the lines of `texts` (by name of the picture) in the place of each line in `document.scans`.

    Everything that names a line is moved along.
    """
    read = {line: [text for text in texts.get(name, ()) if text.strip()] for line, name in document.scans.items()}
    lengths = [max(len(read.get(number, ())), 1) for number in range(1, len(document.prose) + 1)]
    new = [0, *(1 + length for length in accumulate(lengths, initial=0))]
    prose: list[str] = []
    cuts = {new[line]: cut for line, cut in document.cuts.items()}
    for number, line in enumerate(document.prose, start=1):
        if found := read.get(number):
            prose += found
            cuts |= dict.fromkeys(range(new[number], new[number] + len(found)), Cut.LIST_ITEM)
        else:
            prose.append(line)
    return replace(
        document,
        prose=tuple(prose),
        headings=tuple(replace(heading, line=new[heading.line]) for heading in document.headings),
        references=tuple(replace(reference, line=new[reference.line]) for reference in document.references),
        cuts=cuts,
        code_lines=frozenset(new[line] for line in document.code_lines),
        pages=tuple(new[line] for line in document.pages),
        scans={},
    )
