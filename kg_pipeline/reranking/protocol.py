"""What a reranker is: groups of one image with its texts in, log-odds out; and which one a collection asks for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

Direction = Literal["image-to-text", "text-to-image"]


class RerankerError(Exception):
    """A reranker is not available, or could not score."""


@dataclass(frozen=True)
class ImageTexts:
    """One image with all the texts to score it against: the computation of the image is shared by them."""

    image_id: str
    load: Callable[[], bytes]
    """Returns the bytes of the image file; raises OSError or ValueError when they cannot be had."""
    texts: tuple[str, ...]


@dataclass(frozen=True)
class ImageScores:
    """The scores of one ImageTexts, in the order of its texts."""

    image_id: str
    log_odds: tuple[float | None, ...]
    """Log-odds of 'this picture shows this text'; None where it could not be scored."""
    truncated: tuple[bool, ...]
    """Whether the text was cut to the model's limit."""
    error: str | None = None
    """Why log-odds are missing."""


class Reranker(Protocol):
    """Scores pairs by looking at the picture."""

    fingerprint: str
    """Names all that changes a score: model, revision, instruction, direction, pixel budget, precision, prompt."""
    direction: Direction
    pairs_per_second: float
    """Expected rate on this machine, for the estimate that is printed before scoring."""

    def score(self, groups: Iterable[ImageTexts]) -> Iterator[ImageScores]:
        """Yield the scores of each group, in any order of groups. Raises RerankerError when it cannot go on."""


def choose_reranker(name: str) -> Reranker | None:
    """None for `auto` and `none`: the evidence model scores alone. Raises RerankerError for any other.

    The protocol, the ledger and the scoring of pairs are in place for every reranker; this version ships no engine.
    """
    if name not in ("auto", "none"):
        raise RerankerError(
            f"reranker {name!r} is not part of this version: the protocol and the ledger are in place, "
            "its engine is not. Use --reranker none (the evidence model, which does not look at pixels beyond OCR)"
        )
    return None
