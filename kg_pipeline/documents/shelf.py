"""What was made of documents with pictures inside, by content, so that no file is taken apart twice.

One small file per document, one file per picture content. Everything after it reads these pictures as it reads any
picture file: no other process ever opens the untrusted document.
"""

import logging
import zlib
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kg_pipeline.documents.formats import ContainerFormat
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.storage.atomic import replacing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShelvedPicture:
    """A picture of a document: its name there, its file below the shelf, size and, for decoration, why."""

    name: str
    file: str
    bytes: int
    decorative: str | None

    @property
    def image_id(self) -> str:
        """sha256 of its bytes."""
        return Path(self.file).stem


@dataclass(frozen=True)
class Shelved:
    """What came of a document: its text (`document.pictures` is empty here) and pictures, or why there is none."""

    document: ParsedDocument | None = None
    pictures: tuple[ShelvedPicture, ...] = ()
    status: str = "ok"
    """ok, unreadable, skipped."""
    error: str | None = None
    lasting: bool = True
    """Whether reading it again would end the same; not so when time or memory ran out."""


_ENTRY = TypeAdapter(Shelved)


class Shelf:
    """The entries and pictures below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def picture_file(self, picture: ShelvedPicture) -> Path:
        """Where the bytes of a picture are."""
        return self.folder / picture.file

    def load(self, document_sha256: str, form: ContainerFormat) -> Shelved | None:
        """The entry of a document; None when there is none, or a part of it is missing."""
        path = self._entry(document_sha256, form)
        try:
            entry = _ENTRY.validate_json(zlib.decompress(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, zlib.error, ValidationError) as error:
            log.warning("%s: damaged entry, the document is read again: %s", path, error)
            return None
        return entry if all(self._is_there(picture) for picture in entry.pictures) else None

    def store(self, document_sha256: str, form: ContainerFormat, document: ParsedDocument) -> None:
        """Keep a document and its pictures. Raises OSError."""
        pictures = []
        for picture in document.pictures:
            image_id = sha256(picture.data).hexdigest()
            suffix = Path(picture.name).suffix
            shelved = ShelvedPicture(
                picture.name, f"pictures/{image_id[:2]}/{image_id}{suffix}", len(picture.data), picture.decorative
            )
            if not self._is_there(shelved):
                with replacing(self.picture_file(shelved)) as beside:
                    beside.write_bytes(picture.data)
            pictures.append(shelved)
        plain = replace(document, pictures=(), cuts=dict(document.cuts), scans=dict(document.scans))
        self.note(document_sha256, form, Shelved(plain, tuple(pictures)))

    def note(self, document_sha256: str, form: ContainerFormat, entry: Shelved) -> None:
        """Keep an entry as it is. Raises OSError."""
        with replacing(self._entry(document_sha256, form)) as beside:
            beside.write_bytes(zlib.compress(_ENTRY.dump_json(entry), 1))

    def _entry(self, document_sha256: str, form: ContainerFormat) -> Path:
        return self.folder / document_sha256[:2] / f"{document_sha256}.{form.reader}.json.z"

    def _is_there(self, picture: ShelvedPicture) -> bool:
        try:
            return self.picture_file(picture).stat().st_size == picture.bytes
        except OSError:
            return False
