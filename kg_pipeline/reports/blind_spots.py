"""Pictures that evidence from texts cannot judge: nothing to read in them, and a name that says nothing."""

import polars as pl

from kg_pipeline.candidates.tokens import GENERIC_NAME_WORDS, words
from kg_pipeline.documents.parsed import EMBEDDED
from kg_pipeline.evidence import EVIDENCE_SCORER

SOURCES_OF_TEXT = ("ocr", "svg", "manifest", "description")
WORD = r"[\p{Alphabetic}]{2}"
"""Two letters or ideographs side by side: OCR takes a round lamp for a 0 and a cable for an l."""


def is_scored_without_pixels(visual_evidence: pl.DataFrame) -> bool:
    """Whether the scores come from the evidence model, in whatever version, and not from a reranker."""
    model = EVIDENCE_SCORER.partition("/")[0]
    return bool(visual_evidence["scorer"].drop_nulls().str.starts_with(model).any())


def pictures_without_text(images: pl.DataFrame, image_texts: pl.DataFrame, references: pl.DataFrame) -> list[str]:
    """First paths of the content pictures that text says nothing of, sorted; not of those that lie in a document.

    A name says nothing when it has no word beside numbers and words such as IMG or photo, or when other pictures are
    told from it by a number alone: rack_001, rack_002.
    """
    names: dict[str, list[str]] = {}
    for image_id, name in image_texts.filter(pl.col("source") == "name").select("image_id", "text").iter_rows():
        names.setdefault(image_id, []).append(_telling(name))
    users: dict[str, set[str]] = {}
    for image_id, telling in names.items():
        for name in telling:
            users.setdefault(name, set()).add(image_id)
    says_something = pl.col("source").is_in(SOURCES_OF_TEXT) & pl.col("text").str.contains(WORD)
    readable = set(image_texts.filter(says_something)["image_id"])
    placed = set(references.filter(kind=EMBEDDED, status="ok")["image_id"])
    mute = (
        path
        for image_id, path in images.filter(pl.col("role") == "content").select("image_id", "path").iter_rows()
        if image_id not in readable | placed
        and all(not name or len(users[name]) > 1 for name in names.get(image_id, []))
    )
    return sorted(mute)


def _telling(name: str) -> str:
    return " ".join(word for word in words(name) if word not in GENERIC_NAME_WORDS and not any(map(str.isdigit, word)))
