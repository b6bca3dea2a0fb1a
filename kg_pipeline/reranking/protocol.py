"""What a reranker is: groups of one image with its texts in, log-odds out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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


@dataclass(frozen=True)
class Reason:
    """What a model wrote about a pair; it never touches the score of record."""

    text: str
    """As generated."""
    why: str | None
    """The sentence, when the text has the form `Score: X.X — sentence`."""
    said_score: float | None
    """The number it wrote, only to be compared with the score."""


class Reranker(Protocol):
    """Scores pairs by looking at the picture."""

    fingerprint: str
    """Names all that changes a score: model, revision, instruction, direction, pixel budget, precision, prompt."""
    direction: Direction

    @property
    def pairs_per_second(self) -> float:
        """Expected rate on this machine, for the estimate that is printed before scoring."""

    def score(self, groups: Iterable[ImageTexts]) -> Iterator[ImageScores]:
        """Yield the scores of each group, in any order of groups. Raises RerankerError when it cannot go on."""

    def explain(self, image: bytes, text: str) -> Reason:
        """A reason in the language of the text. Raises RerankerError, ImageError, ValueError."""

    def facts(self) -> Mapping[str, str | int | float]:
        """What a run should record beside the scores: device, token budget, peak memory."""

    def close(self) -> None:
        """Free the device."""
