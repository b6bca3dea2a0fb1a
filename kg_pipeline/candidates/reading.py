"""Many texts read at once: words numbered, squashed, counted in columns instead of text by text.

What `tokens.words` does to one text, polars does here to a column, several times as fast and on all cores; Python only
looks at each distinct run of letters once. Only the rules for cutting a run into words stand in one place, `tokens`.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa

from kg_pipeline.candidates.sparse import Rows
from kg_pipeline.candidates.tokens import STOP_WORDS, Vocabulary, is_mixed, run_words, stem
from kg_pipeline.letters import ACCENT, CJK

BATCH = 10_000
"""Texts read at once: about 1 MB of words in views of 16 bytes, and their characters as 4 bytes each."""

_CJK = f"[{CJK}]"
# Letters as Python's `[^\W\d_]` has them; Rust's own \w also holds combining marks.
_LETTERS = rf"[\p{{L}}\p{{Nl}}\p{{No}}--{_CJK}]"
_RUN = rf"{_CJK}+|[0-9]+|{_LETTERS}+"
_CODE = r"[a-z0-9]+"
_NO_LETTER = r"[^\p{L}\p{N}]+"


def batches(texts: pl.Series) -> Iterator[pl.Series]:
    """`texts` cut into pieces that are read at once, each as `letters.normalise` makes it."""
    for start in range(0, len(texts), BATCH):
        apart = texts.slice(start, BATCH).str.normalize("NFKD")
        yield apart.str.replace_all(ACCENT.pattern, "").str.normalize("NFKC")


def read_texts(vocabulary: Vocabulary, texts: pl.Series, learn: bool = True) -> Rows:
    """Token numbers of each text as `vocabulary.read` gives them; new tokens are added.

    Surface words only where `learn`: those of passages tell which names are words glued together.
    """
    keys: list[np.ndarray] = [np.empty(0, np.int32)]
    lengths: list[np.ndarray] = [np.empty(0, np.int32)]
    for batch in batches(texts):
        found = _numbered(vocabulary, batch, learn)
        keys.append(found[0])
        lengths.append(found[1])
    return Rows(np.concatenate(keys), np.concatenate(lengths))


def squashed(texts: pl.Series) -> Iterator[pl.Series]:
    """What `tokens.squash` makes of each text, batch by batch."""
    for batch in batches(texts):
        yield batch.str.to_lowercase().str.replace_all(_NO_LETTER, "")


def _numbered(vocabulary: Vocabulary, batch: pl.Series, learn: bool) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers behind one another, and how many each text has."""
    runs, runs_of = _codes(batch.str.extract_all(_RUN))
    codes, codes_of = _codes(batch.str.to_lowercase().str.extract_all(_CODE))
    # Codes such as `i2c` come after the runs of their text, as in `tokens.words`.
    run_words_ = [run_words(run) for run in runs[1]]
    code_words = [[code] if is_mixed(code) else [] for code in codes[1]]
    words = _Expanded(run_words_ + code_words)
    text = np.concatenate([np.repeat(np.arange(len(batch), dtype=np.int32), of) for of in (runs_of, codes_of)])
    piece = np.concatenate([runs[0], codes[0] + len(runs[1])])
    keep = words.lengths[piece] > 0
    text, piece = text[keep], piece[keep]
    if len(codes[1]):
        order = np.argsort(text, kind="stable")
        text, piece = text[order], piece[order]
    surface = words.at(piece)
    if learn:
        counts = np.bincount(surface, minlength=len(words.distinct))
        vocabulary.surface.update(dict(zip(words.distinct, counts.tolist(), strict=True)))
        vocabulary.total += len(surface)
    # In order of first appearance, so that tokens get the numbers that reading text by text would give them.
    ids = np.full(len(words.distinct), -1, np.int32)
    _, first = np.unique(surface, return_index=True)
    for place in surface[np.sort(first)].tolist():
        word = words.distinct[place]
        if word not in STOP_WORDS:
            ids[place] = vocabulary.number([stem(word)])[0]
    text_of_word = np.repeat(text, words.lengths[piece])
    number = ids[surface]
    known = number >= 0
    return number[known], np.bincount(text_of_word[known], minlength=len(batch)).astype(np.int32)


class _Expanded:
    """Pieces of text as the words they are made of."""

    def __init__(self, words: list[list[str]]) -> None:
        place: dict[str, int] = {}
        flat = [place.setdefault(word, len(place)) for found in words for word in found]
        self.distinct = list(place)
        self.lengths = np.array([len(found) for found in words], np.int64)
        self._flat = np.array(flat, np.int32)
        self._start = np.cumsum(self.lengths) - self.lengths

    def at(self, pieces: np.ndarray) -> np.ndarray:
        """Words, as places in `distinct`, of many pieces behind one another."""
        lengths = self.lengths[pieces]
        end = np.cumsum(lengths)
        place = np.arange(end[-1] if len(end) else 0) - np.repeat(end - lengths - self._start[pieces], lengths)
        return np.asarray(self._flat[place])


def _codes(lists: pl.Series) -> tuple[tuple[np.ndarray, list[str]], np.ndarray]:
    """The strings of a column of lists as numbers with their dictionary, and the length of each list."""
    lengths = lists.list.len().to_numpy().astype(np.int64)
    strings = lists.list.explode(empty_as_null=False).to_arrow().cast(pa.large_string()).dictionary_encode()
    return (strings.indices.to_numpy(zero_copy_only=False), strings.dictionary.to_pylist()), lengths
