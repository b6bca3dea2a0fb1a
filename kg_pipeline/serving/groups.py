"""One picture with its texts, on its way to a scorer."""

from dataclasses import dataclass

from kg_pipeline.reranking import ImageScores
from kg_pipeline.serving.pictures import Picture


@dataclass(frozen=True)
class PictureTexts:
    """One picture with all the texts to score it against."""

    picture: Picture
    texts: tuple[str, ...]


def unscored(group: PictureTexts, error: str | None = None) -> ImageScores:
    """No scores, and why."""
    count = len(group.texts)
    why = error or group.picture.error
    return ImageScores(group.picture.image_id or "", (None,) * count, (False,) * count, why)
