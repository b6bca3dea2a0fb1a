"""Scoring without a model: words of a query that stand in a picture's name, or that are read in the picture."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from math import sqrt
from pathlib import Path

from kg_pipeline.candidates.image_words import MIN_OCR_CONFIDENCE, ImageWords
from kg_pipeline.candidates.tokens import Vocabulary, squash, tokens, trigrams
from kg_pipeline.config import Limits
from kg_pipeline.evidence.model import EVIDENCE_SCORER, NO_PASSAGE, PASSAGE
from kg_pipeline.images import ImageError, PictureReader
from kg_pipeline.images.formats import SVG, image_format
from kg_pipeline.images.svg import parse_svg, svg_texts
from kg_pipeline.reranking import ImageScores
from kg_pipeline.reranking.protocol import Direction, Reason
from kg_pipeline.reranking.reasons import is_chinese
from kg_pipeline.serving.groups import PictureTexts, unscored
from kg_pipeline.serving.pictures import Picture

NOTE = (
    "No model looks at the pictures: these scores come from words alone, those of the file name and those that are "
    "read in the picture (OCR). A picture without a telling name and without text scores near 0 whatever it shows."
)
FINGERPRINT = f"{EVIDENCE_SCORER}/query-words"
# As strong as in the evidence model, and so is NO_PASSAGE, what "belongs to nothing" weighs. Intercept and scale
# are its own: the model's were fitted on passages that have rivals.
INTERCEPT = 0.3
SCALE = 1.6
# Each feature is a share from 0 to 1 here: there is no collection around a query that could say which words are rare.
ENOUGH = 3
FEATURES = ("name_body", "name_in_document", "ocr_body", "name_trigrams", "ocr_bigrams", "phrase", "ui_labels")
SAID = {
    "name_body": {"en": "words of the file name stand in the query", "zh": "文件名中的词出现在查询中"},
    "name_trigrams": {"en": "the file name is like the query", "zh": "文件名与查询相近"},
    "ocr_body": {"en": "words of the query are read in the picture", "zh": "图中读到查询中的词"},
    "phrase": {"en": "whole lines read in the picture stand in the query", "zh": "图中整行文字出现在查询中"},
    "ui_labels": {"en": "labels quoted in the query are read in the picture", "zh": "图中读到查询所引的标签"},
}
NOTHING = {"en": "no word of the query is in its name or read in it", "zh": "文件名和图中文字都没有查询中的词"}
QUOTED = re.compile(r"['\"“‘「『【《`](.{1,60}?)['\"”’」』】》`]")


class WordScorer:
    """The evidence model on a picture and a query, without a collection around them. Direction makes no difference."""

    pairs_at_once = 4
    """Pictures mostly: reading the text in one takes about two seconds the first time."""
    note: str | None = NOTE

    def __init__(self, cache: Path, limits: Limits) -> None:
        """`cache`: the OCR cache of HOME, shared with the pipeline."""
        self._limits = limits
        self._reader = PictureReader(cache, limits)

    def fingerprint(self, _: Direction) -> str:
        """The same in both directions."""
        return FINGERPRINT

    def load(self) -> None:
        """Nothing: the reader of texts is loaded with the first picture that is not in the cache."""

    def score(self, _: Direction, groups: Sequence[PictureTexts]) -> list[ImageScores]:
        """Scores of each group, in their order."""
        return [self._scores(group) for group in groups]

    def findings(self, picture: Picture, text: str) -> str | None:
        """What speaks for a pair that was scored, in the language of the query."""
        assert picture.data is not None and picture.image_id is not None
        words = self._words(picture, self._read(picture.data, picture.image_id))
        language = "zh" if is_chinese(text) else "en"
        found = features(words, text)
        strength = {name: share * PASSAGE.weights[name] for name, share in found.items() if name in SAID and share}
        said = [SAID[name][language] for name in sorted(strength, key=lambda name: -strength[name])]
        return ", ".join(said) or NOTHING[language]

    def explain(self, _: Picture, __: str) -> Reason | None:
        """None: there is no model that could write."""
        return None

    def facts(self) -> dict[str, str | int | float]:
        """No device."""
        return {"device": "none"}

    def _scores(self, group: PictureTexts) -> ImageScores:
        picture = group.picture
        if picture.data is None or picture.image_id is None:
            return unscored(group)
        try:
            read = self._read(picture.data, picture.image_id)
        except ImageError as error:
            return unscored(group, f"the image cannot be read: {error}")
        words = self._words(picture, read)
        log_odds = tuple(pair_log_odds(words, text) for text in group.texts)
        return ImageScores(picture.image_id, log_odds, (False,) * len(group.texts))

    @staticmethod
    def _words(picture: Picture, read: tuple[str, ...]) -> ImageWords:
        return ImageWords(picture.image_id or "", (picture.path or picture.name,), read)

    def _read(self, data: bytes, image_id: str) -> tuple[str, ...]:
        if image_format(data) == SVG:
            return tuple(svg_texts(parse_svg(data)))
        entry = self._reader.read(image_id, data)
        if entry.error:
            raise ImageError(entry.error)
        return tuple(line.text for line in entry.lines if line.confidence >= MIN_OCR_CONFIDENCE)


def pair_log_odds(words: ImageWords, text: str) -> float:
    """Log-odds as the evidence model adds them up, with the query as the only passage there is."""
    found = features(words, text)
    strength = sum(PASSAGE.weights[name] * found[name] for name in FEATURES)
    return round(INTERCEPT + SCALE * (strength - NO_PASSAGE), 6)


def features(words: ImageWords, text: str) -> dict[str, float]:
    """Named shares from 0 to 1."""
    vocabulary = Vocabulary()
    vocabulary.read(text)
    query, name = tokens(text), words.name_tokens(vocabulary)
    read = [token for line in words.read for token in tokens(line)]
    flat = squash(text)
    lines = words.squashed_lines()
    labels = [label for label in map(squash, QUOTED.findall(text)) if label]
    of_name = [gram for each in words.names for gram in trigrams(each)]
    return {
        "name_body": _enough(set(name), set(query)),
        "ocr_body": _enough(set(query), set(read)),
        "name_trigrams": _cosine(set(trigrams(text)), set(of_name)),
        # The query is a document of one passage: all its words are equally rare.
        "name_in_document": _enough(set(name), set(query)),
        "ocr_bigrams": _share(set(pairwise(query)), set(pairwise(read))),
        "phrase": float(any(line in flat or (flat and flat in line) for line in lines)),
        "ui_labels": sum(any(label in line for line in map(squash, words.read)) for label in labels) / len(labels)
        if labels
        else 0.0,
    }


def _enough(wanted: set[str], there: set[str]) -> float:
    """Full marks for ENOUGH words that agree, or for all of fewer; a single word is never enough."""
    return min(1.0, len(wanted & there) / min(ENOUGH, max(2, len(wanted))))


def _share(wanted: AbstractSet[object], there: AbstractSet[object]) -> float:
    return len(wanted & there) / len(wanted) if wanted else 0.0


def _cosine(one: set[str], other: set[str]) -> float:
    return len(one & other) / sqrt(len(one) * len(other)) if one and other else 0.0
