"""PDF: lines of text in the order they were written, headings by size, pictures by place, scanned pages."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pypdfium2 as pdfium

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.captions import is_caption
from kg_pipeline.documents.containers.pdf_pictures import PagePicture, pictures_of
from kg_pipeline.documents.containers.pdf_text import Line, lines_of
from kg_pipeline.documents.errors import SkippedDocumentError, UnreadableDocumentError
from kg_pipeline.documents.image_names import without_image_names
from kg_pipeline.documents.parsed import EMBEDDED, Cut, EmbeddedPicture, Heading, ImageReference, ParsedDocument

HEADING_SIZE = 1.12
"""Times the size of the body's text from which a line is a heading."""
TITLE_SIZE = 1.3
HEADING_CHARACTERS = 160
PARAGRAPH_GAP = 1.6
"""Times its size that a line stands below the one above it when it begins a paragraph."""
CAPTION_GAP = 40
"""Points between a picture and its caption."""
CAPTION_ASIDE = 120
"""Points that a caption may stand to the side of a picture: at the margin, below a picture in the middle."""
CAPTION_LINES = 6
LABEL_CHARACTERS = 300
LABEL_SHARE = 0.4
"""Characters in the drawings of a page, or their share of all, up to which they are labels."""
REPEATED_PAGES = 3
REPEATED_SHARE = 0.5
"""A picture on as many pages, and on more than this share of all, is part of the layout."""
_BULLET = re.compile(r"\s*(?:[•‣▪●○◦∙–—*-]|\(?\d{1,2}[.)]|[a-z][.)])\s+\S")
MARGIN = 0.085
"""Share of a page's height at its top and bottom that holds headers and footers, and seldom a heading "Step 3"."""
_LEADERS = re.compile(r"(?:\.\s?){4}|…\s?…")
"""In a table of contents."""
_WORDS = re.compile(r"[^\W\d_]{2}")
_JUNK_TITLE = re.compile(r"^(?:untitled|microsoft word\b.*|.*\.(?:docx?|dvi|tex|indd|pptx?|xlsx?|qxd|fm))$", re.I)
ON_MOST_PAGES = "on most pages of its document"


@dataclass
class Page:
    """What stands on one page."""

    lines: list[Line]
    pictures: list[PagePicture]
    height: float
    captions: dict[int, list[int]] = field(default_factory=dict)
    """Index of a picture to those of the lines that are its caption."""
    labels: frozenset[int] = frozenset()
    """Indices of the lines that stand in drawings: OCR reads them there, and as text they would give it away."""

    def unread(self) -> set[int]:
        """Indices of the lines that are no prose."""
        return {index for indices in self.captions.values() for index in indices} | self.labels


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises UnreadableDocumentError, SkippedDocumentError."""
    with _opened(data) as pdf:
        if len(pdf) > limits.document_pages:
            raise SkippedDocumentError(f"{len(pdf)} pages, more than {limits.document_pages} (limits.document_pages)")
        pages = [_page(pdf, number, limits) for number in range(len(pdf))]
        title = " ".join(pdf.get_metadata_value("Title").split())
    return _Composer(pages, title).document()


def _opened(data: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise UnreadableDocumentError(
            f"not readable as PDF: {error}" + (" (it is encrypted)" if "assword" in str(error) else "")
        ) from error


def _page(pdf: pdfium.PdfDocument, number: int, limits: Limits) -> Page:
    try:
        page = pdf[number]
    except pdfium.PdfiumError:
        return Page([], [], 0)  # one broken page of many; the others are worth reading
    try:
        lines = lines_of(page)
        found = Page(lines, pictures_of(page, lines, limits), page.get_height())
    finally:
        page.close()
    for aside in (0, CAPTION_ASIDE):
        taken = found.unread()
        for index, picture in enumerate(found.pictures):
            if index not in found.captions and (caption := _caption_lines(found.lines, picture, aside, taken)):
                found.captions[index] = caption
    found.labels = _labels(found)
    return found


def _labels(page: Page) -> frozenset[int]:
    """The lines in drawings; none where they are so much of the page that they are rather text with lines around."""
    drawings = [picture for picture in page.pictures if picture.is_drawing]
    inside = frozenset(
        index
        for index, line in enumerate(page.lines)
        for picture in drawings
        if picture.left <= (line.left + line.right) / 2 <= picture.right
        and picture.bottom <= (line.bottom + line.top) / 2 <= picture.top
    )
    characters = sum(len(page.lines[index].text) for index in inside)
    whole = sum(len(line.text) for line in page.lines)
    return inside if characters <= max(LABEL_CHARACTERS, LABEL_SHARE * whole) else frozenset()


def _caption_lines(lines: list[Line], picture: PagePicture, aside: float, taken: set[int]) -> list[int]:
    """Indices of the lines that are the caption of a picture: below it, else above it; not those `taken`."""
    near = [
        (line.top <= picture.middle, abs(_gap(line, picture)), index)
        for index, line in enumerate(lines)
        if is_caption(line.text)
        and index not in taken
        and line.left < picture.right + aside
        and line.right > picture.left - aside
        and -4 <= _gap(line, picture) <= CAPTION_GAP
    ]
    if not near:
        return []
    first = max(near, key=lambda place: (place[0], -place[1]))[2]
    last = first
    while last + 1 < len(lines) and last - first < CAPTION_LINES and _continues(lines[last], lines[last + 1]):
        last += 1
    return list(range(first, last + 1))


def _gap(line: Line, picture: PagePicture) -> float:
    """Points between a picture and a line below or above it."""
    return picture.bottom - line.top if line.top <= picture.middle else line.bottom - picture.top


def _continues(above: Line, line: Line) -> bool:
    same_size = abs(above.size - line.size) < 0.6
    return same_size and 0 < above.top - line.top < 1.45 * line.size and not is_caption(line.text)


class _Composer:
    """From pages to one document: numbers its lines, finds headings, names pictures."""

    def __init__(self, pages: Sequence[Page], metadata_title: str) -> None:
        self._pages = pages
        self._metadata_title = metadata_title
        self._body = _body_size(pages)
        self._running = _running_lines(pages)
        self._page_numbers = _page_numbers(pages)
        self._prose: list[str] = []
        self._starts: list[int] = []
        self._cuts: dict[int, Cut] = {}
        self._headings: list[tuple[int, float, str]] = []
        self._references: list[ImageReference] = []
        self._pictures: dict[str, EmbeddedPicture] = {}
        self._scans: dict[int, str] = {}
        self._layout = _layout(pages)

    def document(self) -> ParsedDocument:
        for number, page in enumerate(self._pages, start=1):
            self._compose(number, page)
        title = self._title()
        useful = self._metadata_title and not _JUNK_TITLE.match(self._metadata_title)
        return ParsedDocument(
            prose=tuple(self._prose),
            headings=self._leveled(),
            references=tuple(self._references),
            cuts=self._cuts,
            title=title or None,
            page_title=self._metadata_title if useful else None,
            pages=tuple(self._starts),
            pictures=tuple(self._pictures.values()),
            scans=self._scans,
        )

    def _compose(self, number: int, page: Page) -> None:
        first = len(self._prose) + 1
        self._starts.append(first)
        unread = page.unread()
        above: Line | None = None
        for index, line in enumerate(page.lines):
            here = first + index
            if index in unread or (_in_margin(line, page) and _pattern(line) in self._page_numbers):
                self._prose.append("")
                continue
            self._prose.append(without_image_names(line.text))
            if self._is_heading(line):
                self._add_heading(here, line, above)
            elif above is None or above.top - line.top > PARAGRAPH_GAP * line.size or line.top > above.top:
                self._cuts[here] = Cut.PARAGRAPH
            elif _BULLET.match(line.text):
                self._cuts[here] = Cut.LIST_ITEM
            above = line
        if not page.lines:
            self._prose.append("")
        for index, picture in enumerate(page.pictures):
            self._place(number, page, index, picture, first, unread)

    def _place(self, number: int, page: Page, index: int, picture: PagePicture, first: int, unread: set[int]) -> None:
        content = sha256(picture.data).hexdigest()
        is_new = content not in self._pictures
        decorative = ON_MOST_PAGES if content in self._layout else None
        if is_new:
            name = f"p{number}-{index + 1}{picture.suffix}"
            self._pictures[content] = EmbeddedPicture(name, picture.data, decorative)
        name = self._pictures[content].name
        if picture.is_scan:
            self._scans[first] = name
        if decorative and not is_new:
            return  # a logo on 500 pages is one fact, not 500
        prose = [place for place in range(len(page.lines)) if place not in unread]
        nearest = min(prose, key=lambda place: _distance(page.lines[place], picture), default=0)
        caption = " ".join(page.lines[place].text.strip() for place in page.captions.get(index, []))
        self._references.append(
            ImageReference(first + nearest, EMBEDDED, name, picture.alt, without_image_names(caption) or None)
        )

    def _is_heading(self, line: Line) -> bool:
        return (
            line.size >= HEADING_SIZE * self._body
            and len(line.text) <= HEADING_CHARACTERS
            and _WORDS.search(line.text) is not None
            and _pattern(line) not in self._running
            and _LEADERS.search(line.text) is None
        )

    def _add_heading(self, number: int, line: Line, above: Line | None) -> None:
        size = round(line.size * 2) / 2
        text = " ".join(line.text.split())
        if self._headings and self._headings[-1][0] == number - 1 and self._headings[-1][1] == size and above:
            earlier = self._headings[-1]
            if 0 < above.top - line.top < 1.6 * line.size:
                # A heading over two lines: its first line is where it stands, its words are those of both.
                self._headings[-1] = (number, size, f"{earlier[2]} {text}")
                return
        self._headings.append((number, size, text))

    def _leveled(self) -> tuple[Heading, ...]:
        """The largest size is level 1; sizes beyond the sixth share its level."""
        sizes = sorted({size for _, size, _ in self._headings}, reverse=True)
        level = {size: min(rank, 6) for rank, size in enumerate(sizes, start=1)}
        return tuple(Heading(line, level[size], without_image_names(text)) for line, size, text in self._headings)

    def _title(self) -> str:
        """The largest words of the first page, when they stand out."""
        end = self._starts[1] if len(self._starts) > 1 else len(self._prose) + 1
        first_page = [(size, text) for line, size, text in self._headings if line < end]
        largest = max((size for size, _ in first_page if size >= TITLE_SIZE * self._body), default=0)
        return " ".join(text for size, text in first_page if size == largest)[:HEADING_CHARACTERS]


def _body_size(pages: Iterable[Page]) -> float:
    """The size that most characters have."""
    counts: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            counts[round(line.size * 2) / 2] += len(line.text)
    return max(counts, key=lambda size: (counts[size], -size), default=10.0)


def _pattern(line: Line) -> str:
    return re.sub(r"[0-9]+", "#", " ".join(line.text.split()))


def _running_lines(pages: Sequence[Page]) -> set[str]:
    """Headers and footers: what the top or bottom line of several pages says, but for numbers."""
    counts = Counter(
        pattern
        for page in pages
        for pattern in {_pattern(line) for line in (*page.lines[:2], *page.lines[-2:]) if page.lines}
    )
    return {pattern for pattern, count in counts.items() if count >= REPEATED_PAGES}


def _in_margin(line: Line, page: Page) -> bool:
    return line.bottom > (1 - MARGIN) * page.height or line.top < MARGIN * page.height


def _page_numbers(pages: Sequence[Page]) -> set[str]:
    """What headers and footers with the page's number say: the number grows by one from page to page."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for place, page in enumerate(pages):
        for line in page.lines:
            if not _in_margin(line, page):
                continue
            numbers = [int(number) for number in re.findall(r"[0-9]{1,6}", line.text)]
            for end in (0, -1):
                if numbers and (end == 0 or len(numbers) > 1):
                    counts[_pattern(line), end, numbers[end] - place] += 1
    return {pattern for (pattern, _, _), count in counts.items() if count >= REPEATED_PAGES}


def _layout(pages: Sequence[Page]) -> set[str]:
    """Contents of the pictures that are on most pages."""
    counts = Counter(
        content for page in pages for content in {sha256(picture.data).hexdigest() for picture in page.pictures}
    )
    return {
        content for content, count in counts.items() if count >= REPEATED_PAGES and count > REPEATED_SHARE * len(pages)
    }


def _distance(line: Line, picture: PagePicture) -> float:
    """Points between a line and a picture, one column's text being nearer than the next one's; above beats below."""
    gap = max(picture.bottom - line.top, line.bottom - picture.top, 0)
    beside = max(picture.left - line.right, line.left - picture.right, 0)
    return gap + beside + (0.5 if line.top < picture.middle else 0)
