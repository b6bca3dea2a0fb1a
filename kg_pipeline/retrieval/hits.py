"""What a search finds: passages with their pictures, as plain values."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A picture of a passage or concept."""

    image_id: str
    path: str
    uri: str | None
    caption: str | None
    """What a document says of it: its caption, else its alternative text."""
    confidence: float | None
    """0–1 that it shows the text; None where only the document says so."""
    score: float | None
    """0–10."""
    referenced: bool
    """Whether the document itself shows it there."""
    reason: str | None

    @property
    def strength(self) -> float:
        """How much there is to see, 0–1: all of it where the document shows the picture, else the confidence."""
        return 1.0 if self.referenced else self.confidence or 0.0


@dataclass(frozen=True)
class Hit:
    """A passage that was found. Lines count from 1."""

    chunk_id: str
    collection: str
    document: str
    """Path of the document."""
    title: str | None
    document_uri: str | None
    heading: str | None
    line: int | None
    line_end: int | None
    page: int | None
    text: str
    relevance: float
    """Of plain search: BM25 of words, or 0–1 where words and meaning were put together."""
    pictures: tuple[Picture, ...] = ()
    visual: float = 0.0
    """Visual evidence, 0–1."""
    score: float = 0.0
    """What the hits are ordered by."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def with_pictures(hit: Hit, pictures: Iterable[Picture]) -> Hit:
    """`hit` with its pictures, best first, and with its visual evidence."""
    ordered = best_first(pictures)
    return replace(hit, pictures=ordered, visual=visual_evidence(ordered))


def best_first(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    """Those the document shows itself first, then by confidence, then by path."""
    return tuple(sorted(pictures, key=lambda each: (-each.strength, -(each.confidence or 0.0), each.path)))


def visual_evidence(pictures: Iterable[Picture]) -> float:
    """The chance that at least one of the pictures shows the passage: 1 − Π (1 − strength), a noisy-or."""
    return 1.0 - prod(1.0 - picture.strength for picture in pictures)
