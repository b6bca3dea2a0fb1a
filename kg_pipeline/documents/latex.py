"""LaTeX: sections, prose without commands, pictures with the caption of their figure."""

import re
from bisect import bisect_right

from kg_pipeline.documents.image_names import without_image_names
from kg_pipeline.documents.latex_words import with_figures, with_letters, with_names, without_definitions
from kg_pipeline.documents.parsed import Cut, Heading, ImageReference, ParsedDocument

EXTENSIONS = ("png", "jpg", "jpeg", "svg", "gif", "pdf")
"""What a name without extension may stand for; resolution tries them as `name.*`."""
_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4}
_LEVELS |= {"paragraph": 5, "subparagraph": 6}
_ARGUMENT = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_SECTION = re.compile(rf"\\({'|'.join(_LEVELS)})\*?(?:\[[^\]]*\])?{_ARGUMENT}")
_GRAPHICS = re.compile(r"\\includegraphics\*?\s*(?:<[^<>]*>)?(?:\[([^\[\]]*)\])?(?:\[[^\[\]]*\])?\s*\{([^{}]+)\}")
_GRAPHICS_PATH = re.compile(r"\\graphicspath\s*\{((?:\s*\{[^{}]*\})+)\s*\}")
_CAPTION = re.compile(rf"\\caption\*?(?:\[[^\]]*\])?{_ARGUMENT}")
_FIGURE = re.compile(r"\\(begin|end)\{(?:wrap|side|sub|margin)?figure\*?\}")
_TITLE = re.compile(rf"\\title(?:\[[^\]]*\])?{_ARGUMENT}")
_ALT = re.compile(r"alt\s*=\s*(?:\{([^{}]*)\}|([^,\]]*))")
_COMMENT = re.compile(r"(?<!\\)%.*$")
_VERBATIM = re.compile(r"\\(begin|end)\{(?:verbatim|lstlisting|minted|Verbatim|alltt)\*?\}")
_SILENT = re.compile(
    r"\\(?:label|ref|cref|Cref|eqref|pageref|cite[a-z]*|usepackage|documentclass|begin|end|input|include|bibliography\w*"
    r"|vspace|hspace|setlength|graphicspath|newcommand|renewcommand|thispagestyle|pagestyle)\*?(?:\[[^\]]*\])*"
    rf"(?:{_ARGUMENT})*"
)
_COMMAND = re.compile(r"\\(?:[a-zA-Z]+\*?|[^a-zA-Z])(?:\[[^\]]*\])?")
_ESCAPED = re.compile(r"\\([%&_#$ {}])")
_SPACES = re.compile(r"[ \t]+")


def parse_latex(text: str) -> ParsedDocument:
    """A source file. Commands are taken out by their looks.

    Nothing is included, and of the text's own commands only those that stand for words or show a picture are expanded.
    """
    lines = _readable(text.split("\n"))
    # Joined, so that a caption over several lines is one; nothing in it changes its length from here on.
    whole = "\n".join(lines)
    starts = _line_starts(lines)
    title = _TITLE.search(whole)
    path = _GRAPHICS_PATH.search(whole)
    folder = re.findall(r"\{([^{}]*)\}", path[1])[0].strip() if path else ""
    captions = [(match.start(), match.end(), match[1]) for match in _CAPTION.finditer(whole)]
    figures = _figures(whole)
    references = []
    for match in _GRAPHICS.finditer(whole):
        figure = next((place for place in figures if place[0] <= match.start() < place[1]), None)
        caption = next((c for c in captions if figure and figure[0] <= c[0] < figure[1]), None)
        alt = _ALT.search(match[1] or "")
        references.append(
            ImageReference(
                _line_at(starts, match.start()),
                "latex_graphics",
                _target(match[2].strip(), folder),
                _plain(alt[1] or alt[2] or "") or None if alt else None,
                _plain(caption[2]) or None if caption else None,
            )
        )
    headings = [
        Heading(_line_at(starts, match.start()), _LEVELS[match[1]], heading)
        for match in _SECTION.finditer(whole)
        if (heading := without_image_names(_plain(match[2])))
    ]
    blanked = _blanked(whole, [(start, end) for start, end, _ in captions])
    prose, code = _prose(blanked.split("\n"))
    cuts = {
        number: Cut.PARAGRAPH
        for number, line in enumerate(prose, start=1)
        if line.strip() and (number == 1 or not lines[number - 2].strip())
    }
    return ParsedDocument(
        tuple(prose),
        tuple(headings),
        tuple(references),
        cuts,
        frozenset(code),
        _plain(title[1]) or None if title else None,
    )


def _readable(lines: list[str]) -> list[str]:
    """`lines` without comments and definitions of commands, with letters and short names as read; code as it is."""
    code = _code(lines)
    bare = ["" if number in code else _COMMENT.sub("", line) for number, line in enumerate(lines)]
    text, defined = without_definitions("\n".join(bare))
    read = with_figures(text, defined.figures).split("\n")
    return [
        lines[number] if number in code else with_letters(with_names(with_letters(line), defined.names))
        for number, line in enumerate(read)
    ]


def _code(lines: list[str]) -> set[int]:
    """Which lines, from 0, are of verbatim text, the marks around it left out."""
    code: set[int] = set()
    verbatim = False
    for number, line in enumerate(lines):
        mark = _VERBATIM.search(line)
        if mark is None and verbatim:
            code.add(number)
        verbatim = mark[1] == "begin" if mark else verbatim
    return code


def _prose(lines: list[str]) -> tuple[list[str], set[int]]:
    prose: list[str] = []
    code: set[int] = set()
    verbatim = False
    for number, line in enumerate(lines, start=1):
        if mark := _VERBATIM.search(line):
            verbatim = mark[1] == "begin"
            prose.append(without_image_names(_plain(line[: mark.start()] if verbatim else line[mark.end() :])))
        elif verbatim:
            prose.append(without_image_names(line.rstrip()))
            code.add(number)
        else:
            prose.append(without_image_names(_plain(_SECTION.sub(r"\2", line))))
    return prose, code


def _plain(text: str) -> str:
    text = _GRAPHICS.sub(" ", text)
    text = _ESCAPED.sub(lambda match: {"{": "(", "}": ")"}.get(match[1], match[1]), _SILENT.sub(" ", text))
    text = (
        _COMMAND.sub(" ", text)
        .replace("~", " ")
        .replace("{", "")
        .replace("}", "")
        .replace("``", '"')
        .replace("''", '"')
    )
    return _SPACES.sub(" ", text.replace("\n", " ")).strip()


def _target(name: str, folder: str) -> str:
    if folder and not name.startswith("/"):
        name = f"{folder.rstrip('/')}/{name}"
    return name if name.rpartition(".")[2].lower() in EXTENSIONS else f"{name}.*"


def _figures(whole: str) -> list[tuple[int, int]]:
    """Where figures begin and end; the outer one of those in each other."""
    found: list[tuple[int, int]] = []
    depth = start = 0
    for mark in _FIGURE.finditer(whole):
        if mark[1] == "begin":
            start = mark.start() if depth == 0 else start
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                found.append((start, mark.end()))
    return found


def _blanked(text: str, places: list[tuple[int, int]]) -> str:
    """`text` with nothing but line breaks at `places`."""
    for start, end in places:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


def _line_starts(lines: list[str]) -> list[int]:
    starts, place = [], 0
    for line in lines:
        starts.append(place)
        place += len(line) + 1
    return starts


def _line_at(starts: list[int], place: int) -> int:
    return bisect_right(starts, place)
