"""Pictures of cards: files beside the pages, or data inside a page that stands alone."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kg_pipeline.reports import ReportError
from kg_pipeline.retrieval.hits import Picture
from kg_pipeline.storage.atomic import replacing

FOLDER = "pictures"
SUFFIXES = {"image/webp": ".webp", "image/svg+xml": ".svg"}

Thumbnail = Callable[[str], str | None]
"""A data: address for the uri of a picture, made small; None where it cannot be shown."""


@dataclass
class PictureFiles:
    """Writes each picture once, below `output`."""

    output: Path
    thumbnail: Thumbnail
    written: dict[str, str | None] = field(default_factory=dict)
    """Path below `output` by image_id; None where there is nothing to show."""

    def path(self, picture: Picture) -> str | None:
        """Where it is below `output`. Raises ReportError."""
        if picture.image_id not in self.written:
            self.written[picture.image_id] = self._write(picture)
        return self.written[picture.image_id]

    def data(self, picture: Picture) -> str | None:
        """The picture itself, as a data: address."""
        return self.thumbnail(picture.uri) if picture.uri else None

    def _write(self, picture: Picture) -> str | None:
        address = self.data(picture)
        if address is None:
            return None
        kind, _, data = address.removeprefix("data:").partition(";base64,")
        name = f"{FOLDER}/{picture.image_id[:20]}{SUFFIXES[kind]}"
        try:
            with replacing(self.output / name) as beside:
                beside.write_bytes(b64decode(data))
        except OSError as error:
            raise ReportError(f"cannot write {self.output / name}: {error.strerror or error}") from error
        return name
