"""Where concepts are named: every name in one pass over the texts."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import polars as pl

from kg_pipeline.letters import CJK, normalise

ACRONYM_LETTERS = 3
"""A name of at most three capitals (CAN, IT) counts only in capitals, else it is an everyday word."""
MIN_LETTERS = 2

# A name is found as a run of these pieces: Latin words are whole pieces, each CJK character is one.
_PIECE = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:[.'’+#][^\W_{CJK}]+)*[+#]*")

Names = dict[str, list[tuple[tuple[str, ...], str, str]]]
"""First piece → (all pieces, concept_id, alias)."""


def find_mentions(concepts: pl.DataFrame, texts: pl.DataFrame, id_column: str) -> pl.DataFrame:
    """`id_column`, concept_id, alias of every concept named in `texts` (columns `id_column`, text); distinct, sorted.

    Case, accents and the plural s do not count, save for short acronyms; spaces, hyphens and underscores are alike.
    Latin names are found as whole words, Chinese ones anywhere.
    """
    folded, exact = _names(concepts)
    rows = {
        (text_id, concept, alias)
        for text_id, text in texts.select(id_column, "text").iter_rows()
        for concept, alias in _mentions(text, folded, exact)
    }
    return pl.DataFrame(
        sorted(rows),
        schema={id_column: pl.String(), "concept_id": pl.String(), "alias": pl.String()},
        orient="row",
    )


def is_acronym(name: str) -> bool:
    """Whether the name counts only in capitals."""
    return len(name) <= ACRONYM_LETTERS and name.isascii() and name.isalpha() and name.isupper()


def _names(concepts: pl.DataFrame) -> tuple[Names, Names]:
    folded: Names = defaultdict(list)
    exact: Names = defaultdict(list)
    for concept, name, aliases in concepts.sort("concept_id").select("concept_id", "name", "aliases").iter_rows():
        for alias in dict.fromkeys([name, *(aliases or [])]):
            plain = normalise(alias).strip()
            found = _PIECE.findall(plain)
            if sum(map(len, found)) < MIN_LETTERS:
                continue
            if is_acronym(plain):
                exact[found[0]].append((tuple(found), concept, alias))
            else:
                pieces = tuple(_fold(piece) for piece in found)
                folded[pieces[0]].append((pieces, concept, alias))
    return folded, exact


def _mentions(text: str, folded: Names, exact: Names) -> Iterator[tuple[str, str]]:
    plain = normalise(text)
    found = [(match.group(), match.start(), match.end()) for match in _PIECE.finditer(plain)]
    raw = [piece for piece, _, _ in found]
    folds = [_fold(piece) for piece in raw]
    # Names do not reach across sentences: between two pieces only spaces, hyphens, underscores, slashes may stand.
    joined = [True] + [_JOIN.fullmatch(plain, end, start) is not None for (_, _, end), (_, start, _) in pairwise(found)]
    for place, (fold, piece) in enumerate(zip(folds, raw, strict=True)):
        for names, pieces, key in ((folded, folds, fold), (exact, raw, piece)):
            for name, concept, alias in names.get(key, ()):
                end = place + len(name)
                if tuple(pieces[place:end]) == name and all(joined[place + 1 : end]):
                    yield concept, alias
        if len(piece) > 2 and piece[-1] == "s":
            for name, concept, alias in exact.get(piece[:-1], ()):
                if len(name) == 1:
                    yield concept, alias


_JOIN = re.compile(r"[\s\-_/‐‑–]*")


def _fold(piece: str) -> str:
    """Lower case, without a plural or possessive s: `Buses` is not handled, `boards` and `board's` are `board`."""
    folded = piece.casefold()
    folded = folded.removesuffix("'s").removesuffix("’s")
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") and not folded.endswith("ss") else folded
