"""Plain text: paragraphs, no references."""

from itertools import pairwise

from kg_pipeline.documents.image_names import without_image_names
from kg_pipeline.documents.parsed import Cut, ParsedDocument


def parse_plain_text(text: str) -> ParsedDocument:
    """Lines as they are; a passage may begin after a blank line."""
    lines = text.split("\n")
    cuts = {
        number: Cut.PARAGRAPH
        for number, (above, line) in enumerate(pairwise(lines), start=2)
        if line.strip() and not above.strip()
    }
    return ParsedDocument(prose=tuple(without_image_names(line).rstrip() for line in lines), cuts=cuts)
