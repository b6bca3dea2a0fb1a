"""What technical English words are called in Chinese and French: names of pictures are English in any language."""

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np

from kg_pipeline.candidates.sparse import Rows
from kg_pipeline.candidates.tokens import STOP_WORDS, Vocabulary, stem, words

# French looks like English to whatever counts letters, and shares words with it (`photo`, `journal`): it is looked up
# only where French is written. These four are one word in twenty there.
FRENCH_WORDS, FRENCH_SHARE = ("les", "des", "une", "dans"), 0.01


def translated(asked: Iterable[Rows], vocabulary: Vocabulary) -> Rows:
    """Numbers of the translations of each text's tokens, each once, without those that are asked for already.

    `asked`: several sets of token numbers of the same texts. New tokens are added to the vocabulary.
    """
    text, token = (np.concatenate(each) for each in zip(*((rows.rows(), rows.keys) for rows in asked), strict=True))
    count = max(rows.count for rows in asked)
    glossary = _numbered(vocabulary)
    starts = np.zeros(len(vocabulary.ids) + 1, np.int64)
    for number, translations in glossary.items():
        starts[number + 1] = len(translations)
    starts = np.cumsum(starts)
    found = np.fromiter((each for number in sorted(glossary) for each in glossary[number]), np.int64, int(starts[-1]))
    known = np.unique(text.astype(np.int64) << 32 | token)
    text, token = known >> 32, known & 0xFFFFFFFF
    lengths = starts[token + 1] - starts[token]
    place = np.repeat(starts[token] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    new = np.setdiff1d(np.repeat(text, lengths) << 32 | found[place], known)
    return Rows((new & 0xFFFFFFFF).astype(np.int32), np.bincount(new >> 32, minlength=count))


def _numbered(vocabulary: Vocabulary) -> dict[int, list[int]]:
    """Numbers of English tokens that the vocabulary has → those of their translations into languages it has."""
    chinese, french = _glossary()
    speaks_french = sum(vocabulary.surface[word] for word in FRENCH_WORDS) >= FRENCH_SHARE * max(vocabulary.total, 1)
    numbers = {}
    for english, tokens in chinese.items():
        if english in vocabulary.ids:
            more = french[english] if speaks_french else ()
            numbers[vocabulary.ids[english]] = vocabulary.number(dict.fromkeys((*tokens, *more)))
    return numbers


@cache
def _glossary() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Stem of an English word → tokens of its Chinese translations, and of its French ones.

    A single Chinese character is no word by itself; French plurals that an English stemmer leaves stand here as well.
    """
    chinese, french = {}, {}
    text = (files("kg_pipeline.candidates") / "glossary.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        english = stem(row["english"])
        chinese[english] = tuple(token for word in row["zh"].split() if len(word) > 1 for token in words(word))
        forms = (form for word in words(row["fr"]) if len(word) > 2 for form in (stem(word), stem(f"{word}s")))
        french[english] = tuple(form for form in forms if form not in STOP_WORDS)
    # French words that are English as well would find English passages.
    return chinese, {english: tuple(each for each in forms if each not in chinese) for english, forms in french.items()}
