"""Where prose and pictures hold the same strings: lines read in a picture, labels quoted in prose, cue words."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.candidates.image_words import ImageWords
from kg_pipeline.candidates.matching import Field
from kg_pipeline.candidates.reading import batches, squashed
from kg_pipeline.candidates.sparse import Columns, Rows, matrix_of
from kg_pipeline.candidates.tokens import squash
from kg_pipeline.candidates.verbatim import occurrences
from kg_pipeline.letters import CJK_CHARACTER

COMMON_LINE = 0.2  # a line in more than this share of the passages says nothing
MAX_CUES = 3.0

# What stands in prose for something seen on a screen: **bold**, `code`, quotes, :guilabel:`x`, CJK brackets.
_LABEL = r"\*\*(.{1,60}?)\*\*|`([^`\n]{1,60})`|[\"“]([^\"”\n]{1,60})[\"”]|[「『【《]([^」』】》\n]{1,60})[」』】》]"
_CUE = (
    r"(?i)\b(?:below|above|shown?|shows|figure|image|picture|screenshot|diagram|photo|illustrat\w+|click|see|"
    r"looks? like|following)\b|如图|下图|上图|如下|所示|点击|图片|截图|效果"
)
_COLON = r"[:：]\s*$"


def lines_of(images: list[ImageWords], texts: pl.Series) -> Field:
    """Lines read in the pictures and the passages where they stand verbatim, weighted by rarity."""
    of_image = [image.squashed_lines() for image in images]
    needles = sorted({line for lines in of_image for line in lines})
    column = {line: place for place, line in enumerate(needles)}
    numbers = np.array([column[line] for lines in of_image for line in lines], np.int64)
    row = np.repeat(np.arange(len(images)), [len(lines) for lines in of_image])
    needle, text = occurrences(needles, squashed(texts))
    hits = np.bincount(needle, minlength=len(needles))
    rarity = np.log1p(len(texts) / np.maximum(hits, 1)).astype(np.float32)
    weight = np.where(hits <= COMMON_LINE * len(texts), rarity, np.float32(0))
    needle, text = needle.astype(np.int32), text.astype(np.int32)
    return Field(
        matrix_of(row, numbers, np.ones(len(row)), (len(images), len(needles))),
        matrix_of(text, needle, weight[needle], (len(texts), len(needles))),
    )


def labels_of(images: list[ImageWords], texts: pl.Series) -> Field:
    """Labels read in the pictures and the passages that quote them, weighted by rarity."""
    place: dict[str, int] = {}
    known: dict[str, str] = {}
    lengths: list[int] = []
    numbers: list[int] = []
    for batch in batches(texts):
        for found in batch.str.extract_all(_LABEL).to_list():
            labels = {known.get(quotation) or known.setdefault(quotation, _label(quotation)) for quotation in found}
            labels.discard("")
            lengths.append(len(labels))
            numbers.extend(place.setdefault(label, len(place)) for label in labels)
    needles = sorted(place)
    rank = np.empty(len(needles), np.int64)
    rank[[place[label] for label in needles]] = np.arange(len(needles))
    quoting = Rows(rank[np.array(numbers, np.int64)], np.array(lengths, np.int64))
    own = pl.Series(["\n".join(squash(line) for line in image.lines) for image in images], dtype=pl.String())
    label, image = occurrences(needles, [own])
    in_images = np.bincount(label, minlength=len(needles))
    in_texts = np.bincount(quoting.keys, minlength=len(needles))
    weight = np.log1p(len(images) / np.maximum(in_images, 1)) + 0.5 * np.log1p(len(texts) / np.maximum(in_texts, 1))
    seen = Columns(Rows(label, np.array([len(label)])))
    quoted = quoting.matrix(seen)
    quoted.data = quoted.data * weight[seen.keys].astype(np.float32)[quoted.indices]
    read = seen.find(label)[1]
    return Field(matrix_of(image, read, np.ones(len(label)), (len(images), len(seen.keys))), quoted)


def cues(texts: pl.Series) -> NDArray[np.float32]:
    """Number of words such as "below" in each text, and of a colon at its end, at most MAX_CUES."""
    found = texts.str.count_matches(_CUE) + texts.str.contains(_COLON).cast(pl.UInt32)
    return np.asarray(np.minimum(found.to_numpy(), MAX_CUES), np.float32)


def _label(quotation: str) -> str:
    """The squashed label of a quotation with its marks, empty when too short to be one."""
    label = squash(quotation)
    return label if len(label) >= (2 if CJK_CHARACTER.search(label) else 3) else ""
