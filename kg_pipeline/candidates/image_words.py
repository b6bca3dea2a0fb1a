"""What is known of each picture in words: file names, folders, text read in it."""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

import polars as pl

from kg_pipeline.candidates.tokens import (
    LETTER,
    Vocabulary,
    cjk_share,
    folder_names,
    name_words,
    squash,
    stem,
    telling,
)
from kg_pipeline.ids import sha256_text
from kg_pipeline.letters import CJK_CHARACTER

READ_SOURCES, DESCRIBING_SOURCES = ("ocr", "svg"), ("manifest", "description")
MIN_OCR_CONFIDENCE = 0.6  # below it rapidocr mostly reads texture
FOLDERS_IN_NAME = 2  # outer folders name the site, not the picture
LANGUAGE_LETTERS = 12  # fewer letters say nothing about a language
CHINESE_SHARE = 0.2


@dataclass(frozen=True)
class ImageWords:
    """The words of one picture. Several paths (byte-identical copies) are one picture with the words of all."""

    image_id: str
    paths: tuple[str, ...]
    read: tuple[str, ...]
    """Lines read in the picture, in reading order."""
    described: tuple[str, ...] = ()
    """What a manifest or a model says that it shows."""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """All that is said of the pixels in words."""
        return self.read + self.described

    @cached_property
    def names(self) -> tuple[str, ...]:
        """File stems, as far as they are words."""
        return tuple(dict.fromkeys(telling(PurePosixPath(path).stem) for path in self.paths))

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """Folders of the paths; `""` for the top."""
        return tuple(dict.fromkeys(path.rpartition("/")[0] for path in self.paths))

    @cached_property
    def folder_text(self) -> str:
        """The innermost telling folders of every path."""
        inner = (name for folder in self.folders for name in folder_names(folder)[-FOLDERS_IN_NAME:])
        return " ".join(dict.fromkeys(inner))

    @cached_property
    def language(self) -> str | None:
        """`zh` or `en` from what is read in the picture and its name; None when that is too little."""
        text = " ".join(self.read)  # the language of a description is that of the question
        if CJK_CHARACTER.search(" ".join(self.names)) or (len(CJK_CHARACTER.findall(text)) > 1 and _chinese(text)):
            return "zh"
        return "en" if len(LETTER.findall(text)) >= LANGUAGE_LETTERS else None

    def name_tokens(self, vocabulary: Vocabulary) -> list[str]:
        """Stems of the words of the file names."""
        return [stem(word) for name in self.names for word in name_words(name, vocabulary)]

    def squashed_lines(self) -> list[str]:
        """Lines long enough to be looked up verbatim, squashed, each once."""
        squashed = dict.fromkeys(squash(line) for line in self.lines)
        return [line for line in squashed if len(line) >= (3 if CJK_CHARACTER.search(line) else 6)]


def read_image_words(image_files: pl.DataFrame, images: pl.DataFrame, image_texts: pl.DataFrame) -> list[ImageWords]:
    """One per row of `images`, sorted by image_id."""
    paths: dict[str, list[str]] = defaultdict(list)
    for image_id, path in (
        image_files.filter(pl.col("image_id").is_not_null()).sort("path").select("image_id", "path").iter_rows()
    ):
        paths[image_id].append(path)
    certain = pl.col("confidence").fill_null(1.0) >= MIN_OCR_CONFIDENCE
    read = _by_image(image_texts.filter(pl.col("source").is_in(READ_SOURCES) & certain))
    described = _by_image(image_texts.filter(pl.col("source").is_in(DESCRIBING_SOURCES)))
    return [
        ImageWords(image_id, tuple(paths[image_id] or [path]), read.get(image_id, ()), described.get(image_id, ()))
        for image_id, path in images.sort("image_id").select("image_id", "path").iter_rows()
    ]


QUERY_CHARACTERS = 2_000
"""Of what is read in a picture, as much as embedding models take."""


def picture_texts(images: list[ImageWords]) -> pl.DataFrame:
    """What an embedding model is asked about each picture: its names and the lines that its pixels say.

    image_id, text_sha256, text, in the order of `images`; a blank text where nothing is known.
    """
    texts = ["\n".join((*_named(image.names), *image.lines))[:QUERY_CHARACTERS] for image in images]
    return pl.DataFrame(
        {
            "image_id": [image.image_id for image in images],
            "text_sha256": [sha256_text(text) for text in texts],
            "text": texts,
        },
        schema={"image_id": pl.String, "text_sha256": pl.String, "text": pl.String},
    )


def _named(names: tuple[str, ...]) -> list[str]:
    """Names that say something, as people write them: not `IMG_0412`."""
    nothing = Vocabulary()
    said = [name for name in names if any(map(LETTER.search, name_words(name, nothing)))]
    return [" ".join(name.replace("_", " ").replace("-", " ").split()) for name in said]


def _by_image(texts: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    lines: dict[str, list[str]] = defaultdict(list)
    for image_id, text in texts.select("image_id", "text").iter_rows():
        lines[image_id].append(text)
    return {image_id: tuple(found) for image_id, found in lines.items()}


def _chinese(text: str) -> bool:
    return cjk_share(text) >= CHINESE_SHARE


_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which `step2` comes before `step10`."""
    parts = _DIGITS.split(name.lower())
    return tuple((0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts)
