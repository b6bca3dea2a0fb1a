"""HTML: prose, headings and image references with exact lines, in one pass over the tags."""

import html
import re
from bisect import bisect_left
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

from kg_pipeline.documents.html_images import images_of
from kg_pipeline.documents.image_names import commented_images, names_an_image, without_image_names
from kg_pipeline.documents.parsed import Cut, Heading, ImageReference, ParsedDocument
from kg_pipeline.documents.passages import width
from kg_pipeline.documents.templates import TemplateTags, quoted

IMAGE_TAG = "kg-image"
"""Tag by which other parsers hand an image over: attributes kind, src, alt, title."""

# fmt: off
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav",
    "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
})
# fmt: on
HEADINGS = {f"h{level}": level for level in range(1, 7)}
CROWDED = 200
"""Width (wide characters double) from which the next block on the same line begins a row."""
_SILENT = frozenset(["script", "style", "title", "textarea", "template", "svg"])
_NAVIGATION_ROLES = frozenset(["navigation", "search"])
# DocBook's stylesheets, Publican, Sphinx before it had roles.
_NAVIGATION_CLASSES = frozenset(["navheader", "navfooter", "docnav", "sphinxsidebar"])
_UNREAD = ("template", "textarea", "xmp")
"""Elements whose content a browser takes as text, or does not show."""
_KEPT_WHOLE = ("ul", "ol", "table", "pre")
_MARKS = {"b": "**", "strong": "**", "code": "`", "kbd": "`", "tt": "`", "samp": "`"}
_EMPTY_MARKS = re.compile(r"\*\*\s*\*\*|(?<!`)`\s*`(?!`)")
_SPACES = re.compile(r"[ \t\f\v\xa0]+")
_TAG_NAME = re.compile(r"<(\w+)")
# Vue: `:src="$withBase('/a.png')"`, `v-bind:src="logo"`.
_BOUND = re.compile(r"(?:v-bind)?:(src|srcset|poster)")
# What Sphinx, MkDocs, VitePress and others put behind a heading as its own address.
_PERMALINK = re.compile(r"[\s¶§#\u200b\U0001f517\uf000-\uf8ff]+")
_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?\n---[ \t]*(?=\n|\Z)", re.DOTALL)


def parse_html(text: str) -> ParsedDocument:
    """An HTML page or fragment; Jekyll's front matter is skipped.

    Generators put a whole section on one line: a heading behind other text, and a block behind much text, begin a row.
    They also put the names of all other pages on every page: the text of navigation is not read.
    """
    front = _FRONT_MATTER.match(text)
    if front:
        text = "\n" * front[0].count("\n") + text[front.end() :]
    tags = TemplateTags()
    text = tags.set_aside(text)
    page = _scanned(text, tags, in_rows=True, skip_navigation=True)
    if page.in_navigation:
        page = _scanned(text, tags, in_rows=True)
    return page.document()


def scan_html(text: str, tags: TemplateTags) -> ParsedDocument:
    """HTML whose template tags were set aside in `tags`; every row is a line."""
    return _scanned(text, tags).document()


def _scanned(text: str, tags: TemplateTags, in_rows: bool = False, skip_navigation: bool = False) -> "_Scanner":
    scanner = _Scanner(text.count("\n") + 1, tags, in_rows, skip_navigation)
    scanner.feed(_without_open_ends(text))
    scanner.close()
    return scanner


def _without_open_ends(text: str) -> str:
    """`text` with an open comment closed at the end of the page, and no `<` after the last `>`.

    html.parser tries each open end anew up to the end of the text: 100 kB of `<!--` took it 40 s.
    """
    end = 0
    while (start := text.find("<!--", end)) >= 0:
        end = text.find("-->", start + 2)
        if end < 0:
            return text + "-->"
    closed = text.rfind(">") + 1
    return text[:closed] + text[closed:].replace("<", "&lt;")


class _Scanner(HTMLParser):
    """Keeps what is open, and files each piece of text under the row it stands on."""

    def __init__(self, line_count: int, tags: TemplateTags, in_rows: bool, skip_navigation: bool) -> None:
        super().__init__(convert_charrefs=False)
        self._line_count = line_count
        self._tags = tags
        self._in_rows = in_rows
        self._skip_navigation = skip_navigation
        self._navigation: tuple[str, int] | None = None
        """Tag of the element that is skipped, and how many of that tag are open around it."""
        # Docusaurus: `import Logo from './logo.svg'`, then `<Logo />`.
        self._components = {
            name: path for name, path in tags.imports.items() if name[0].isupper() and names_an_image(path)
        }
        self._lines: list[int] = []
        """Line of the file of each row."""
        self._rows: dict[int, int] = {}
        """Last row of each line of the file."""
        self._pieces: list[list[str]] = []
        self._widths: list[int] = []
        self._open: Counter[str] = Counter()
        self._heading: tuple[int, int, list[str]] | None = None
        self._caption: list[str] = []
        self._figures: list[int] = []
        self._title: list[str] = []
        self._headings: list[Heading] = []
        self._references: list[ImageReference] = []
        self._cuts: dict[int, Cut] = {}
        self._lines_after_blank: set[int] = set()
        self._code_lines: set[int] = set()
        self._filled: set[int] = set()
        self._silent = 0
        self._base: str | None = None

    @property
    def in_navigation(self) -> bool:
        """Whether navigation began that never ended: what follows it was not read."""
        return self._navigation is not None

    def document(self) -> ParsedDocument:
        self._row(self._line_count)
        for line in self._lines_after_blank:
            self._cuts.setdefault(bisect_left(self._lines, line) + 1, Cut.PARAGRAPH)
        title = _one_line("".join(self._title))
        return ParsedDocument(
            prose=tuple(self._prose(number, pieces) for number, pieces in enumerate(self._pieces, start=1)),
            headings=tuple(self._headings),
            references=tuple(self._references),
            cuts=self._cuts,
            code_lines=frozenset(self._code_lines),
            page_title=self._tags.remove(title).strip() or None,
            base=self._base,
            lines=tuple(self._lines) if len(self._lines) > self._line_count else (),
        )

    def _prose(self, number: int, pieces: list[str]) -> str:
        line = without_image_names(self._tags.remove("".join(pieces)))
        if number in self._code_lines:
            return line.rstrip()
        return _EMPTY_MARKS.sub("", _SPACES.sub(" ", line)).strip().strip("|").strip()

    # Rows

    def _row(self, line: int) -> int:
        """The last row of a line of the file, both from 1."""
        line = min(line, self._line_count)
        while len(self._rows) < line:
            self._add_row(len(self._rows) + 1)
        return self._rows[line]

    def _add_row(self, line: int) -> None:
        self._lines.append(line)
        self._pieces.append([])
        self._widths.append(0)
        self._rows[line] = len(self._lines)

    def _row_of_block(self, tag: str) -> int:
        """The row on which a block begins: a new one where it would hide behind a heading, much text, or be one."""
        row = self._row(self.getpos()[0])
        text = self._widths[row - 1]
        hides = text and (tag in HEADINGS or text >= CROWDED or self._is_heading(row))
        return self._next_row() if hides and self._may_break(row) else row

    def _row_of_text(self, text: str) -> int:
        """The row on which text begins: a new one behind a heading."""
        row = self._row(self.getpos()[0])
        hides = self._is_heading(row) and any(map(str.isalnum, text))
        return self._next_row() if hides and self._may_break(row) else row

    def _may_break(self, row: int) -> bool:
        is_last = row == len(self._lines)
        return self._in_rows and is_last and not self._heading and not self._open["pre"] and not self._is_silent

    def _next_row(self) -> int:
        self._add_row(self._lines[-1])
        return len(self._lines)

    def _is_heading(self, row: int) -> bool:
        return bool(self._headings) and self._headings[-1].line == row

    # Tags

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(self._attribute(name, value or "") for name, value in reversed(attrs))
        if tag in HEADINGS:
            self._end_heading()
        row = self._row_of_block(tag) if tag in BLOCKS else self._row(self.getpos()[0])
        if tag in BLOCKS:
            self._begin_block(tag, row)
        if self._skip_navigation and not self._navigation and _is_navigation(tag, attributes):
            self._navigation = tag, self._open[tag]
        self._open[tag] += 1
        self._silent += tag in _SILENT
        if tag == "body":
            # Whatever the head left open (a title, say) ends here.
            self._silent = 0
            self._open["title"] = 0
        if tag in HEADINGS:
            self._heading = (row, HEADINGS[tag], [])
        elif tag == "figure":
            self._figures.append(len(self._references))
        elif tag == "base" and "href" in attributes and self._base is None:
            self._base = attributes["href"]
        elif tag in ("td", "th"):
            self._write(row, " | ")
        elif tag == "li":
            self._write(row, "- ")
        elif tag == "br":
            self._write(row, " ")
        elif tag in _MARKS and not self._open["pre"]:
            self._write(row, _MARKS[tag])
        if not any(self._open[name] for name in _UNREAD):
            self._collect(tag, attributes, row)

    def handle_endtag(self, tag: str) -> None:
        row = self._row(self.getpos()[0])
        if self._open[tag]:
            self._open[tag] -= 1
            self._silent = max(self._silent - (tag in _SILENT), 0)
            if tag in _MARKS and not self._open["pre"]:
                self._write(row, _MARKS[tag])
        if self._navigation == (tag, self._open[tag]):
            self._navigation = None
        if tag in HEADINGS:
            self._end_heading()
        elif tag == "figure":
            self._end_figure()
        if tag in BLOCKS:
            self._write(row, " ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in BLOCKS:
            self.handle_endtag(tag)

    def _attribute(self, name: str, value: str) -> tuple[str, str]:
        """An attribute as HTML has it: one that Vue binds to an expression becomes that expression in braces."""
        if ":" in name and (bound := _BOUND.fullmatch(name)):
            return bound[1], f"{{{self._tags.restore(value)}}}"
        return name, value

    def _begin_block(self, tag: str, row: int) -> None:
        if row in self._filled:
            self._write(row, " ")
        if row in self._filled or self._open["table"] or self._open["pre"]:
            return
        in_list = self._open["ul"] + self._open["ol"]
        if not in_list and tag != "li":
            self._cuts[row] = Cut.PARAGRAPH
        elif tag == "li" and in_list <= 1:
            self._cuts[row] = Cut.LIST_ITEM

    def _end_heading(self) -> None:
        if self._heading:
            row, level, pieces = self._heading
            text = _one_line(without_image_names(self._tags.remove("".join(pieces))))
            if text:
                self._headings.append(Heading(row, level, text))
        self._heading = None

    def _end_figure(self) -> None:
        self._open["figcaption"] = 0
        caption = _one_line("".join(self._caption))
        first = self._figures.pop() if self._figures else len(self._references)
        if caption:
            self._references[first:] = [
                replace(reference, caption=caption) if reference.kind not in ("link", "commented") else reference
                for reference in self._references[first:]
            ]
        self._caption = []

    # Text

    @property
    def _is_silent(self) -> bool:
        return self._silent > 0 or self.in_navigation

    def handle_data(self, data: str) -> None:
        line = self.getpos()[0]
        if self._open["title"] and not self._open["svg"]:
            self._title.append(data)
        if self._is_silent or (self._heading and self._open["a"] and _PERMALINK.fullmatch(data)):
            return
        in_code = self._open["pre"] + self._open["code"]
        for offset, target, alt, caption in self._tags.images(data) if not in_code else ():
            self._refer(self._row(line + data.count("\n", 0, offset)), "shortcode", target, alt, caption)
        if self._open["figcaption"]:
            self._caption.append(self._tags.remove(data))
            return
        for number, part in enumerate(data.split("\n"), start=line):
            row = self._row_of_text(part) if number == line else self._row(number)
            if self._open["pre"] and part.strip():
                self._code_lines.add(row)
            elif number > line and not part.strip() and not any(self._open[tag] for tag in _KEPT_WHOLE):
                self._lines_after_blank.add(number + 1)
            self._write(row, part)
            self._widths[row - 1] += width(part.strip())

    def handle_entityref(self, name: str) -> None:
        self.handle_data(html.unescape(f"&{name};").replace("\n", " "))

    def handle_charref(self, name: str) -> None:
        self.handle_data(html.unescape(f"&#{name};").replace("\n", " "))

    def handle_comment(self, data: str) -> None:
        for line, target, alt in commented_images(self._tags.restore(data), self.getpos()[0]):
            self._refer(self._row(line), "commented", target, alt)

    def _write(self, row: int, text: str) -> None:
        if self._is_silent or self._open["figcaption"]:
            return
        self._pieces[row - 1].append(text)
        if text.strip():
            self._filled.add(row)
        if self._heading:
            self._heading[2].append(text.strip("*`|") if text.strip() in ("**", "`") else text)

    # References

    def _collect(self, tag: str, attributes: dict[str, str], row: int) -> None:
        alt, title = attributes.get("alt"), attributes.get("title")
        if tag == IMAGE_TAG:
            self._refer(row, attributes["kind"], attributes["src"], alt, title)
        elif tag == "a" or (tag in ("link", "meta") and not self._open["body"]):
            target = self._tags.restore(attributes.get("content" if tag == "meta" else "href", ""))
            if names_an_image(target):
                self._refer(row, "link", target)
        else:
            restored = {name: self._tags.restore(value) for name, value in attributes.items()}
            for kind, target in images_of(tag, restored):
                self._refer(self._row_of_target(target, row), kind, target, alt, title)
            if self._components and (written := _TAG_NAME.match(self.get_starttag_text() or "")):
                self._refer(row, "html_img", self._components.get(written[1], ""), alt, title)

    def _refer(self, row: int, kind: str, target: str, alt: str | None = None, caption: str | None = None) -> None:
        target = self._written(self._tags.restore(target)).strip()
        if not target or target.startswith("#"):
            return
        alt, caption = (None if text is None else _one_line(self._tags.restore(text)) for text in (alt, caption))
        self._references.append(ImageReference(row, kind, target, alt, caption or None))

    def _row_of_target(self, target: str, row: int) -> int:
        """Where a tag that begins on `row` and is wrapped over several lines names `target`."""
        tag = self._tags.restore(self.get_starttag_text() or "")
        places = (tag.find(form) for form in (target, html.escape(target)))
        lines = tag.count("\n", 0, next((place for place in places if place > 0), 0))
        return self._row(self.getpos()[0] + lines) if lines else row

    def _written(self, target: str) -> str:
        """The path in a JSX expression such as {require('./a.png').default}, or in the variable it was imported as."""
        if not target.startswith("{") or target.startswith(("{{", "{%")):
            return target
        inside = target[1:-1].strip()
        return next(iter(quoted(inside)), self._tags.imports.get(inside, target))


def _is_navigation(tag: str, attributes: dict[str, str]) -> bool:
    if tag == "nav" or attributes.get("role", "").lower() in _NAVIGATION_ROLES:
        return True
    return not _NAVIGATION_CLASSES.isdisjoint(attributes.get("class", "").lower().split())


def _one_line(text: str) -> str:
    return " ".join(text.split())
