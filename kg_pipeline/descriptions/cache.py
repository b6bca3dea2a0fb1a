"""Every description ever written, one small file per picture and describer, so that no picture is described twice."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from kg_pipeline.descriptions.errors import DescriptionError
from kg_pipeline.ids import sha256_text
from kg_pipeline.storage.atomic import replacing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What the model wrote, or why it did not."""

    text: str | None
    error: str | None = None


class DescriptionCache:
    """A folder per describer, in it 256 folders of files named by the picture's hash."""

    def __init__(self, folder: Path) -> None:
        """Nothing is created before something is kept."""
        self._folder = folder.absolute()

    def load(self, describer: str, image_id: str) -> Description | None:
        """What is known of a picture; None when it was not described, or its file is damaged."""
        path = self._path(describer, image_id)
        try:
            data = json.loads(path.read_bytes())
            return Description(data["text"], data["error"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: damaged entry, the picture is described again: %r", path, error)
            return None

    def store(self, describer: str, image_id: str, description: Description) -> None:
        """Keep a description in one step. Raises DescriptionError."""
        path = self._path(describer, image_id)
        text = json.dumps({"describer": describer, **asdict(description)}, ensure_ascii=False)
        try:
            with replacing(path) as beside:
                beside.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DescriptionError(
                f"cannot write {path}: {error.strerror or error}; check free space and rights"
            ) from error

    def _path(self, describer: str, image_id: str) -> Path:
        return self._folder / sha256_text(describer)[:16] / image_id[:2] / f"{image_id}.json"
