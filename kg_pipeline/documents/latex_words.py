"""LaTeX commands that are read as letters: accents, special letters, names, and short names that a text defines."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307"}
ACCENTS |= {"u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323", "b": "\u0331", "k": "\u0328"}
ACCENTS |= {"r": "\u030a"}
LETTERS = {"ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å"}
LETTERS |= {"AA": "Å", "i": "i", "j": "j", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "S": "§", "pounds": "£"}
LETTERS |= {"dots": "…", "ldots": "…", "textdegree": "°", "texteuro": "€", "textmu": "µ", "copyright": "©"}
LETTERS |= {"TeX": "TeX", "LaTeX": "LaTeX", "LaTeXe": "LaTeX2e", "BibTeX": "BibTeX", "XeTeX": "XeTeX"}
LETTERS |= {"XeLaTeX": "XeLaTeX", "LuaTeX": "LuaTeX", "LuaLaTeX": "LuaLaTeX", "pdfLaTeX": "pdfLaTeX", "today": ""}
LONGEST_NAME, LONGEST_FIGURE, MOST_FIGURES = 200, 1000, 10_000
"""Characters that a short name, or a command that shows a picture, may stand for, and how many of the latter are
followed. What they stand for is not looked into again: nothing grows without bound."""

_ACCENTED = re.compile(
    r"\\(?:(?P<mark>[`'^~\"=.])\s*|(?P<name>[uvHcdbkr])(?:\s+(?=[A-Za-z])|\s*(?=\{)))"
    r"(?:\{\s*(?:\\(?P<dotless>[ij])|(?P<braced>[A-Za-z]))\s*\}|\\(?P<bare>[ij])(?![A-Za-z])|(?P<letter>[A-Za-z]))"
)
_LETTER = re.compile(rf"\\({'|'.join(sorted(LETTERS, key=len, reverse=True))})(?![A-Za-z@])(\s*\{{\}}|[ \t]+)?")
_VERB = re.compile(r"\\(?:verb|lstinline)\*?(?:\[[^\]]*\])?([^A-Za-z0-9\s*\[{])(.*?)\1")
_ARGUMENT = r"\{((?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*)\}"
_DEFINED = re.compile(
    r"\\(?:newcommand|renewcommand|providecommand|DeclareRobustCommand|def)\*?\s*(?:\{\s*\\([A-Za-z]+)\s*\}|\\([A-Za-z]+))"
    r"\s*((?:\[[^\]]*\]|#\d)*)\s*" + _ARGUMENT
)
_COUNT = re.compile(r"\[([1-9])\]|(?:#\d)*#([1-9])")
_STYLE = re.compile(r"\\(?:text(?:bf|it|sf|tt|sc|rm|sl|up|md|normal)|emph|mbox|underline)\s*(?=\{)")
_TITLED = re.compile(r"\\begin\{(?:frame|(?:alert|example)?block)\}(?:<[^<>]*>)?(?:\[[^\[\]]*\])*(?=\s*\{)")
_LABEL = re.compile(r"\\item\s*\[([^\[\]]*)\]")
_NO_WORDS = re.compile(r"#|\\(?:begin|end|def|includegraphics)(?![A-Za-z])")


@dataclass(frozen=True)
class Defined:
    """What a text defines: commands that stand for words, and those with arguments that show a picture."""

    names: Mapping[str, str]
    figures: Mapping[str, tuple[int, str]]


def without_definitions(text: str) -> tuple[str, Defined]:
    """`text` with only line breaks where commands are defined, and what they stand for."""
    names: dict[str, str] = {}
    figures: dict[str, tuple[int, str]] = {}

    def blank(match: re.Match[str]) -> str:
        name, arguments, body = match[1] or match[2], match[3], " ".join(match[4].split())
        if not arguments and len(body) <= LONGEST_NAME and not _NO_WORDS.search(body):
            names[name] = body
        elif (count := _COUNT.fullmatch(arguments)) and "\\includegraphics" in body and len(body) <= LONGEST_FIGURE:
            figures[name] = (int(count[1] or count[2]), body)
        return "\n" * match[0].count("\n")

    return _DEFINED.sub(blank, text), Defined(names, figures)


def with_figures(text: str, figures: Mapping[str, tuple[int, str]]) -> str:
    """`text` with the pictures that its own commands show, on the line where the command begins."""
    for name, (count, body) in figures.items():
        used = re.compile(rf"\\{name}(?![A-Za-z@])" + rf"\s*{_ARGUMENT}" * count)

        def shown(match: re.Match[str], body: str = body) -> str:
            filled = re.sub(r"#(\d)", lambda place: _argument(match, int(place[1])), body)
            return filled.replace("\n", " ") + "\n" * match[0].count("\n")

        text = used.sub(shown, text, count=MOST_FIGURES)
    return text


def _argument(match: re.Match[str], number: int) -> str:
    return str(match[number]) if 0 < number <= len(match.groups()) else ""


def with_letters(text: str) -> str:
    """`text` with accents, special letters, inline code, labels of lists and titles of slides as they are read.

    A style, or a place for a hyphen, within a word divides nothing.
    """
    if "\\" not in text:
        return text
    text = _LABEL.sub(r"\\item \1 ", _TITLED.sub("", text.replace("\\-", "")))
    text = _STYLE.sub("", _VERB.sub(lambda match: re.sub(r"[\\{}]", " ", match[2]), text))
    return _LETTER.sub(_letter, _ACCENTED.sub(_accented, text))


def with_names(text: str, names: Mapping[str, str]) -> str:
    """`text` with the words that its short names stand for."""
    if not names:
        return text
    return re.sub(r"\\([A-Za-z]+)(?![A-Za-z@])(\s*\{\})?", lambda match: names.get(match[1], match[0]), text)


def _accented(match: re.Match[str]) -> str:
    letter = match["dotless"] or match["braced"] or match["bare"] or match["letter"]
    return unicodedata.normalize("NFC", letter + ACCENTS[match["mark"] or match["name"]])


def _letter(match: re.Match[str]) -> str:
    written = LETTERS[match[1]]
    # TeX drops every space here; behind a name it is more often one that the author forgot to protect.
    return written if len(written) == 1 and written.isalpha() else written + (match[2] or "").replace("{}", "")
