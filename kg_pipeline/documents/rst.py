"""reStructuredText, also mixed with Markdown, line by line.

docutils loses the line of substitutions and the content of directives it does not know (tabs, cards), and sites mix in
Markdown headings, links and fences; hence a scanner of our own that needs no definition of any directive or role.
"""

import re
from dataclasses import replace

from kg_pipeline.documents.html import scan_html
from kg_pipeline.documents.image_names import commented_images, names_an_image, without_image_names
from kg_pipeline.documents.parsed import Cut, Heading, ParsedDocument
from kg_pipeline.documents.rst_inline import InlineMarkup
from kg_pipeline.documents.templates import TemplateTags

IMAGE_DIRECTIVES = {"image": "rst_image", "figure": "rst_figure", "thumbnail": "rst_thumbnail"}
_LIKE_AN_IMAGE = re.compile(r"(?:^|[-_:])(?:image|img|figure|thumbnail|screenshot|picture|photo)s?(?:$|[-_:])")
_CARD_IMAGE_OPTIONS = re.compile(r"img(?:-top|-bottom|-background)?|image|thumbnail|background-image")
# fmt: off
LITERAL_DIRECTIVES = frozenset({
    "code", "code-block", "sourcecode", "literalinclude", "remoteliteralinclude", "rli", "parsed-literal", "math",
    "graphviz", "digraph", "graph", "mermaid", "uml", "plantuml", "prompt", "doctest", "testcode", "testoutput",
    "ipython", "productionlist", "blockdiag", "seqdiag", "nwdiag", "actdiag", "command-output", "program-output",
    "jinja", "eval-rst", "highlight", "console",
})
_NO_PROSE = LITERAL_DIRECTIVES | {
    "toctree", "contents", "include", "meta", "raw", "only", "default-role", "role", "currentmodule", "module",
    "index", "default-domain", "autoclass", "automodule", "autofunction", "autosummary", "tags", "youtube", "video",
}
# fmt: on
_DROPPED_BODY = frozenset({"toctree", "meta", "contents"})

_BULLETS = r"(?:(?:[-*+•]|\d+[.)]|#\.|\([0-9a-zA-Z]\)|[a-zA-Z][.)])\s+)*"
_BEFORE_TEXT = re.compile(rf"\s*{_BULLETS}")
_EXPLICIT = re.compile(rf"(?P<before>\s*{_BULLETS})\.\.(?:\s+(?P<rest>.*))?$")
_DIRECTIVE = re.compile(
    r"(?:\|(?P<substitution>[^|]+)\|\s+)?(?P<name>[A-Za-z][\w:.+-]*?)\s?::(?:\s+(?P<argument>.*))?$"
)
_TARGET = re.compile(r"_(?:`[^`]+`|[^:`]+):\s*(?P<uri>.*)$|__\s*:?\s*(?P<anonymous>.*)$")
_FOOTNOTE = re.compile(r"\[[^\]]+\]\s+(?P<text>.*)$")
_OPTION = re.compile(r"\s*:(?P<name>[A-Za-z][\w -]*):(?:\s+(?P<value>.*))?$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)]|#\.|\([0-9a-zA-Z]+\)|[a-zA-Z][.)])\s+\S")
_FENCE = re.compile(rf"\s*{_BULLETS}(?P<mark>`{{3,}}|~{{3,}})[^`]*$")
_MARKDOWN_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
_GRID_TABLE = re.compile(r"\s*(?:\+[-=+]{2,}|\|.*\|\s*$)")
_SIMPLE_TABLE = re.compile(r"\s*=+(?:\s+=+)+\s*$")
_CELL_IMAGE = re.compile(r"\.\.\s+(?P<name>image|figure|thumbnail)::\s+(?P<target>[^|]+)")


def parse_rst(text: str) -> ParsedDocument:
    """ReStructuredText with any directives and roles."""
    return _Scanner(text.split("\n")).document()


class _Scanner:
    """Walks over the lines once; what each line is decides what is read from it."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = [line.expandtabs(8) for line in lines]
        self._prose = [""] * len(lines)
        self._headings: list[Heading] = []
        self._inline = InlineMarkup()
        self._code: set[int] = set()
        self._tables: set[int] = set()
        self._styles: list[tuple[str, bool]] = []

    def document(self) -> ParsedDocument:
        number = 0
        while number < len(self._lines):
            number = self._scan(number)
        references = self._inline.references + self._inline.substituted_images()
        return ParsedDocument(
            prose=tuple(without_image_names(self._inline.substituted(line)).rstrip() for line in self._prose),
            headings=tuple(self._headings),
            references=tuple(sorted(references, key=lambda reference: reference.line)),
            cuts=self._cuts(),
            code_lines=frozenset(number + 1 for number in self._code),
        )

    def _scan(self, number: int) -> int:
        """Read what begins at line `number` (from 0); the line to go on with."""
        line = self._lines[number]
        if not line.strip():
            return number + 1
        if explicit := _EXPLICIT.match(line):
            return self._explicit(number, len(explicit["before"]), explicit["rest"] or "")
        if fence := _FENCE.match(line):
            return self._fenced(number, fence["mark"])
        return self._section(number) or self._table(number) or self._paragraph(number)

    # Blocks

    def _block_end(self, number: int, indent: int) -> int:
        """Line after the block below line `number` whose lines are indented by more than `indent`."""
        end = number + 1
        for following in range(number + 1, len(self._lines)):
            line = self._lines[following]
            if line.strip():
                if len(line) - len(line.lstrip()) <= indent:
                    break
                end = following + 1
        return end

    def _keep_code(self, start: int, end: int) -> None:
        for number in range(start, end):
            if self._lines[number].strip():
                self._prose[number] = self._lines[number]
                self._code.add(number)

    def _fenced(self, number: int, mark: str) -> int:
        end = number + 1
        while end < len(self._lines) and not self._lines[end].strip().startswith(mark):
            end += 1
        self._keep_code(number + 1, min(end, len(self._lines)))
        return end + 1

    def _paragraph(self, number: int) -> int:
        """One line of text; `::` at its end makes code of the block after the blank line."""
        line = self._lines[number]
        self._prose[number] = self._inline.prose(line, number + 1)
        if not line.rstrip().endswith("::") or self._line(number + 1).strip():
            return number + 1
        self._prose[number] = self._prose[number].rstrip()[:-1]
        start = _BEFORE_TEXT.match(line)
        end = self._block_end(number, start.end() if start else 0)
        self._keep_code(number + 1, end)
        return end

    def _section(self, number: int) -> int | None:
        line, below = self._lines[number], self._line(number + 1)
        markdown = _MARKDOWN_HEADING.match(line)
        if markdown and not _ADORNMENT.match(below):
            self._head(number, len(markdown[1]), markdown[2])
            return number + 1
        if _ADORNMENT.match(line):
            closing = self._line(number + 2)
            if below.strip() and closing.rstrip() == line.rstrip() and len(below.strip()) <= len(line.rstrip()):
                self._head(number + 1, self._level(line[0], overlined=True), below.strip())
                return number + 3
            return number + 1
        long_enough = len(below.rstrip()) >= min(len(line.rstrip()), 4)
        if _ADORNMENT.match(below) and long_enough and not line.startswith(" ") and not _GRID_TABLE.match(line):
            self._head(number, self._level(below[0], overlined=False), line.strip())
            return number + 2
        return None

    def _line(self, number: int) -> str:
        return self._lines[number] if number < len(self._lines) else ""

    def _level(self, mark: str, *, overlined: bool) -> int:
        style = (mark, overlined)
        if style not in self._styles:
            self._styles.append(style)
        return self._styles.index(style) + 1

    def _head(self, number: int, level: int, text: str) -> None:
        prose = " ".join(self._inline.prose(text, number + 1).split())
        self._prose[number] = prose
        name = without_image_names(self._inline.substituted(prose)).replace("**", "").replace("`", "").strip()
        if name:
            self._headings.append(Heading(number + 1, level, name))

    def _table(self, number: int) -> int | None:
        if not _GRID_TABLE.match(self._lines[number]) and not _SIMPLE_TABLE.match(self._lines[number]):
            return None
        end = number
        simple = bool(_SIMPLE_TABLE.match(self._lines[number]))
        while end < len(self._lines):
            line = self._lines[end]
            if not line.strip() and (not simple or not self._simple_table_goes_on(end)):
                break
            if not simple and not _GRID_TABLE.match(line):
                break
            end += 1
        for row in range(number, end):
            line = self._lines[row]
            self._tables.add(row)
            for cell in _CELL_IMAGE.finditer(line):
                self._inline.refer(row + 1, IMAGE_DIRECTIVES[cell["name"]], cell["target"].strip())
            if not re.fullmatch(r"[\s+=-]*", line):
                self._prose[row] = self._inline.prose(_CELL_IMAGE.sub("", line), row + 1)
        return max(end, number + 1)

    def _simple_table_goes_on(self, number: int) -> bool:
        """Whether a border follows the blank line before a line at the margin ends the table."""
        return any(_SIMPLE_TABLE.match(line) for line in self._lines[number + 1 : number + 40])

    # Explicit markup

    def _explicit(self, number: int, indent: int, rest: str) -> int:
        if directive := _DIRECTIVE.match(rest):
            return self._directive(number, indent, directive)
        if target := _TARGET.match(rest):
            uri = (target["uri"] or target["anonymous"] or "").strip()
            if names_an_image(uri):
                self._inline.refer(number + 1, "link", uri)
            return number + 1
        if footnote := _FOOTNOTE.match(rest):
            self._prose[number] = self._inline.prose(footnote["text"], number + 1)
            return number + 1
        end = self._block_end(number, indent)
        comment = "\n".join([rest, *self._lines[number + 1 : end]])
        for line, written, alt in commented_images(comment, number + 1):
            self._inline.refer(line, "commented", written, alt)
        return end

    def _directive(self, number: int, indent: int, directive: re.Match[str]) -> int:
        name, substitution = directive["name"].lower(), directive["substitution"]
        argument = (directive["argument"] or "").strip()
        end = self._block_end(number, indent)
        body = number + 1
        if name == "replace" and substitution:
            self._inline.replace(substitution, self._inline.prose(argument, number + 1))
            return end
        is_image = name in IMAGE_DIRECTIVES or (bool(_LIKE_AN_IMAGE.search(name)) and names_an_image(argument))
        if is_image and not argument and body < end and not _OPTION.match(self._lines[body]):
            argument, body = self._lines[body].strip(), body + 1
        while is_image and not names_an_image(argument) and body < end and self._continues(argument, body):
            argument, body = argument + self._lines[body].strip(), body + 1
        options, body = self._options(body, end)
        if is_image and argument:
            self._image(number, substitution, name, argument, options, body, end)
            body = self._after_caption(body, end) if name == "figure" else body
            return end if substitution else body
        for option, (line, value) in options.items():
            if _CARD_IMAGE_OPTIONS.fullmatch(option) and names_an_image(value):
                alt = self._value(options, f"{option.split('-')[0]}-alt", "alt")
                self._inline.refer(line + 1, "rst_card", value, alt)
        if argument and name not in _NO_PROSE and not substitution:
            self._prose[number] = self._inline.prose(argument, number + 1)
        if not substitution:
            return self._body(name, argument, body, end)
        if name == "raw":
            for shown in _scan_html(self._lines[body:end]).references[:1]:
                self._inline.define(substitution, shown.kind, shown.target, shown.alt)
        return end

    def _continues(self, argument: str, body: int) -> bool:
        """Whether an address is broken before line `body`: docutils joins the lines of one without a space."""
        line = self._lines[body].strip()
        return bool(argument and line) and not _OPTION.match(line) and " " not in line and names_an_image(line)

    def _body(self, name: str, argument: str, body: int, end: int) -> int:
        """Read the content of a directive that is no image; the line to go on with."""
        if name == "raw" and argument.lower().split()[:1] == ["html"]:
            self._html(body, end)
        elif name in LITERAL_DIRECTIVES:
            self._keep_code(body, end)
        elif name not in _DROPPED_BODY and name != "raw":
            return body
        return end

    def _options(self, body: int, end: int) -> tuple[dict[str, tuple[int, str]], int]:
        """Option → (line, value), and the line after the options."""
        options: dict[str, tuple[int, str]] = {}
        last = None
        while body < end and self._lines[body].strip():
            option = _OPTION.match(self._lines[body])
            if option:
                last = option["name"].lower()
                options[last] = (body, (option["value"] or "").strip())
                depth = len(self._lines[body]) - len(self._lines[body].lstrip())
            elif last and len(self._lines[body]) - len(self._lines[body].lstrip()) > depth:
                options[last] = (options[last][0], f"{options[last][1]} {self._lines[body].strip()}".strip())
            else:
                break
            body += 1
        return options, body

    @staticmethod
    def _value(options: dict[str, tuple[int, str]], *names: str) -> str | None:
        return next((options[name][1] for name in names if name in options), None)

    def _image(
        self,
        number: int,
        substitution: str | None,
        name: str,
        argument: str,
        options: dict[str, tuple[int, str]],
        body: int,
        end: int,
    ) -> None:
        kind, alt = IMAGE_DIRECTIVES.get(name, "rst_image"), self._value(options, "alt")
        if substitution:
            self._inline.define(substitution, kind, argument, alt)
            return
        caption_end = self._after_caption(body, end) if kind == "rst_figure" else body
        caption = " ".join(
            self._inline.prose(self._lines[line].strip(), line + 1)
            for line in range(body, caption_end)
            if self._lines[line].strip()
        )
        self._inline.refer(number + 1, kind, argument, alt, self._value(options, "caption", "title") or caption or None)
        if "target" in options and names_an_image(options["target"][1]):
            self._inline.refer(options["target"][0] + 1, "link", options["target"][1])

    def _after_caption(self, body: int, end: int) -> int:
        while body < end and not self._lines[body].strip():
            body += 1
        if _EXPLICIT.match(self._line(body)):
            return body
        while body < end and self._lines[body].strip():
            body += 1
        return body

    def _html(self, body: int, end: int) -> None:
        document = _scan_html(self._lines[body:end])
        self._inline.references += [replace(shown, line=shown.line + body) for shown in document.references]
        self._prose[body:end] = document.prose[: end - body]

    # Places to cut

    def _cuts(self) -> dict[int, Cut]:
        cuts: dict[int, Cut] = {}
        list_indent: int | None = None
        for number, line in enumerate(self._lines):
            if not line.strip():
                continue
            indent = len(line) - len(line.lstrip())
            is_item = bool(_LIST_ITEM.match(line)) and number not in self._code
            if list_indent is not None and (indent < list_indent or (indent == list_indent and not is_item)):
                list_indent = None
            continues = number > 0 and (
                (number in self._code and number - 1 in self._code)
                or (number in self._tables and number - 1 in self._tables)
            )
            after_blank = number == 0 or not self._lines[number - 1].strip()
            if is_item and (list_indent is None or indent <= list_indent):
                list_indent = indent
                cuts[number + 1] = Cut.LIST_ITEM
            elif after_blank and not continues and list_indent is None and not self._inside_code(number):
                cuts[number + 1] = Cut.PARAGRAPH if indent == 0 else Cut.LIST_ITEM
        return cuts

    def _inside_code(self, number: int) -> bool:
        """Whether a blank line inside a code block stands above."""
        above = number - 1
        while above >= 0 and not self._lines[above].strip():
            above -= 1
        return number in self._code and above in self._code


def _scan_html(lines: list[str]) -> ParsedDocument:
    tags = TemplateTags()
    return scan_html(tags.set_aside("\n".join(lines)), tags)
