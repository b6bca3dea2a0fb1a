"""Words of passages, names and pictures: tokens, stems, stop words, words glued together in file names."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import snowballstemmer
from numpy.typing import NDArray

from kg_pipeline.letters import CJK, CJK_CHARACTER, normalise

LETTER = re.compile(r"[^\W\d_]")
_RUN = re.compile(rf"[{CJK}]+|[0-9]+|[^\W\d_{CJK}]+")
_MIXED = re.compile(r"(?<![a-z0-9])(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{2,12}(?![a-z0-9])")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _words(
    """
    a an and are as at be been but by can do does for from get had has have how i if in into is it its may more no not
    of on or our out over s so such t than that the their them then there these they this to up use used using was we
    were what when where which will with you your 的 了 和 是 在 与 及 或
    """
)
# Words that name the kind of file, not what it shows.
GENERIC_NAME_WORDS = _words(
    """
    image img images imgs picture pictures pic pics photo photos media asset assets screenshot screenshots screen shot
    capture figure figures fig file files doc docs static resources res copy new old final untitled png jpg jpeg gif
    svg webp bmp dsc 图 图片 截图 图像 屏幕截图
    """
)
GENERIC_FOLDERS = _words(
    """
    image images img imgs picture pictures pic pics photo photos media asset assets static public resources res figures
    figs fig screenshots files docs doc documentation source src content attachments uploads _static _images . 图片 截图
    """
)
LANGUAGE_FOLDERS = _words(
    """
    en zh de fr es it ja ko pt ru cn tw en-us en-gb zh-cn zh-tw zh-hans zh-hant de-de fr-fr es-es ja-jp ko-kr pt-br
    ru-ru english chinese
    """
)

# `3f2504e0` and `x7Kp92Lq8Zt41bQe` are numbers of a machine, `stm32f103c8t6` is a part with a name.
OPAQUE_LETTERS, OPAQUE_CHANGES = 8, 4
_HEXADECIMAL = re.compile(r"[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RUN_OF_CODE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-z]+", re.IGNORECASE)

GLUED_LETTERS = 6  # shorter names are words, codes or noise
GLUED_PART_LETTERS = 3
RARE = 3  # a name that the passages use this often is a word of its own

_stemmer = snowballstemmer.stemmer("english")
_stems: dict[str, str] = {}

Ids = NDArray[np.int32]


def squash(text: str) -> str:
    """Lower-case letters and digits alone: the form in which lines are looked up verbatim."""
    return re.sub(r"[\W_]+", "", normalise(text).lower())


def stem(word: str) -> str:
    """English Snowball stem of a lower-case word."""
    known = _stems.get(word)
    if known is None:
        known = _stems[word] = str(_stemmer.stemWord(word)) if word.isascii() else word
    return known


def words(text: str) -> list[str]:
    """Lower-case surface words in reading order.

    Letter runs and their camelCase parts, digit runs without leading zeros, codes of letters and digits such as `i2c`
    as one word as well, pairs of neighbouring characters of Chinese (a single one where it stands alone).
    """
    text = normalise(text)
    found = [word for run in _RUN.findall(text) for word in run_words(run)]
    found.extend(_MIXED.findall(text.lower()))
    return found


def run_words(run: str) -> list[str]:
    """Surface words of a run of letters of one script, or of digits."""
    if run[0].isdigit():
        return [run.lstrip("0") or "0"]
    if CJK_CHARACTER.match(run):
        return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    parts = [part.lower() for part in _CAMEL.findall(run)] if not (run.islower() or run.isupper()) else []
    return [*(parts if len(parts) > 1 else ()), run.lower()]


def is_mixed(run: str) -> bool:
    """Whether a run of lower-case letters and digits is a code such as `i2c`, a word of its own."""
    return _MIXED.fullmatch(run) is not None


def tokens(text: str) -> list[str]:
    """Stems of `words`, without stop words."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def cjk_share(text: str) -> float:
    """Share of CJK characters among the letters of `text`; 0 without letters."""
    letters = len(LETTER.findall(text))
    return len(CJK_CHARACTER.findall(text)) / letters if letters else 0.0


@dataclass
class Vocabulary:
    """Numbers for tokens, and how often each surface word occurs; grows while texts are read."""

    ids: dict[str, int] = field(default_factory=dict)
    surface: Counter[str] = field(default_factory=Counter)
    total: int = 0

    def read(self, text: str) -> list[int]:
        """Ids of the tokens of `text`; new ones are added."""
        surface = words(text)
        self.surface.update(surface)
        self.total += len(surface)
        return self.number(stem(word) for word in surface if word not in STOP_WORDS)

    def number(self, found: Iterable[str]) -> list[int]:
        """Ids of tokens; new ones are added."""
        ids = self.ids
        return [ids.setdefault(token, len(ids)) for token in found]

    def split_glued(self, word: str) -> list[str]:
        """The words glued together in a rare lower-case name ("openloopconfig"), or nothing.

        The most likely cut under the unigram model of the texts read so far (dynamic programming); parts of fewer than
        three letters are dropped, and a cut that needs an unknown part is no cut.
        """
        if len(word) < GLUED_LETTERS or not (word.isascii() and word.isalpha()) or self.surface[word] >= RARE:
            return []
        total = math.log(1 + self.total)
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(word) + 1):
            best.append(
                min(
                    (
                        (best[start][0] + total - math.log(self.surface[word[start:end]]), start)
                        for start in range(max(0, end - 20), end)
                        if self.surface[word[start:end]] >= RARE and end - start > 1
                    ),
                    default=(math.inf, 0),
                )
            )
        if math.isinf(best[-1][0]):
            return []
        parts: list[str] = []
        end = len(word)
        while end:
            parts.append(word[best[end][1] : end])
            end = best[end][1]
        return [part for part in reversed(parts) if len(part) >= GLUED_PART_LETTERS]


def name_words(text: str, vocabulary: Vocabulary) -> list[str]:
    """Words of a file or folder name: generic ones left out, glued ones split as well."""
    found: list[str] = []
    for word in words(text):
        if word not in GENERIC_NAME_WORDS and word not in STOP_WORDS:
            found.extend(vocabulary.split_glued(word))
            found.append(word)
    return found


def telling(name: str) -> str:
    """A file or folder name without hashes, UUIDs and other numbers of machines, which match words by chance alone."""
    return _RUN_OF_CODE.sub(lambda match: " " if _is_opaque(match.group().lower()) else match.group(), name)


def _is_opaque(run: str) -> bool:
    digits = sum(character.isdigit() for character in run)
    if len(run) >= OPAQUE_LETTERS and digits >= 2 and _HEXADECIMAL.fullmatch(run):
        return True
    changes = sum(left.isdigit() != right.isdigit() for left, right in pairwise(run))
    return len(run) >= 2 * OPAQUE_LETTERS and changes >= OPAQUE_CHANGES


def folder_names(path: str) -> list[str]:
    """Folders of a path from the outside in, without generic ones and language codes."""
    parts = [telling(part).strip() for part in path.split("/")]
    return [
        part for part in parts if part and part.lower() not in GENERIC_FOLDERS and part.lower() not in LANGUAGE_FOLDERS
    ]


def trigrams(text: str) -> list[str]:
    """Character trigrams of the squashed text, in order, with repeats."""
    squashed = squash(text)
    return [squashed[i : i + 3] for i in range(len(squashed) - 2)]
