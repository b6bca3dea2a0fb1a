"""Making it harder: file names, folders or the text in pictures taken away before anything looks at them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.ids import sha256_text

ONE_FOLDER = "images"
"""Where flat folders put all pictures; a name that says nothing."""
AS_IT_IS = "none"


def _hashed_name(path: str) -> str:
    pure = PurePosixPath(path)
    return str(pure.with_name(sha256_text(path)[:32] + pure.suffix))


def _flat_folder(path: str) -> str:
    return f"{ONE_FOLDER}/{PurePosixPath(path).name}"


PATHS: Mapping[str, Callable[[str], str]] = {"hashed-names": _hashed_name, "flat-folders": _flat_folder}
NO_OCR = "no-ocr"
STRESSES = (*PATHS, NO_OCR)


def stress_name(kinds: frozenset[str]) -> str:
    """How the stress stands in the table evaluation: `none`, `hashed-names+flat-folders` and so on."""
    return "+".join(kind for kind in STRESSES if kind in kinds) or AS_IT_IS


def stressed(corpus: Corpus, kinds: frozenset[str]) -> Corpus:
    """The corpus with the paths of its pictures rewritten, or without the text read in them; truth is unchanged.

    References go by image_id, so they hold; several pictures may share a path afterwards. Addresses stay, for those
    that look at the pixels.
    """
    if not kinds:
        return corpus
    rewritten = {path: _rewritten(path, kinds) for path in corpus.image_files["path"]}
    texts = corpus.image_texts.filter(~pl.col("source").is_in(["name", "folder"]))
    if NO_OCR in kinds:
        texts = texts.filter(pl.col("source") != "ocr")
    renamed = pl.col("path").replace(rewritten)
    return replace(
        corpus,
        image_files=corpus.image_files.with_columns(renamed),
        images=corpus.images.with_columns(renamed),
        image_texts=texts,
    )


def _rewritten(path: str, kinds: frozenset[str]) -> str:
    for kind, rewrite in PATHS.items():
        path = rewrite(path) if kind in kinds else path
    return path
