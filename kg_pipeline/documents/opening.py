"""Taking documents apart that have pictures inside: in killable processes, onto the shelf, counted whatever comes."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from kg_pipeline.config import Collection, Limits
from kg_pipeline.documents.errors import SkippedDocumentError, UnreadableDocumentError
from kg_pipeline.documents.formats import ContainerFormat
from kg_pipeline.documents.killable import Killed, run_killable
from kg_pipeline.documents.parsed import ParsedDocument
from kg_pipeline.documents.scans import with_scans
from kg_pipeline.documents.shelf import Shelf, Shelved
from kg_pipeline.images.ocr import read_pending
from kg_pipeline.images.ocr_cache import load_entry

# What parsers and codecs raise on input nobody thought of. The document is then unreadable, the run goes on.
PARSER_ERRORS = (RecursionError, ValueError, AssertionError, LookupError, TypeError, AttributeError)
# And what the libraries for binary formats do, found by cutting and flipping bytes of every format.
CONTAINER_ERRORS = (
    *PARSER_ERRORS,
    OSError,
    EOFError,
    SyntaxError,
    ArithmeticError,
    RuntimeError,
    zlib.error,
    struct.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class ToOpen:
    """A file to take apart, its content's hash, and as what."""

    file: Path
    sha256: str
    form: ContainerFormat


def open_documents(items: Sequence[ToOpen], shelf: Shelf, limits: Limits, workers: int, again: bool = False) -> None:
    """Put on the shelf what is not there yet; every file has an entry then, be it only why it cannot be read.

    With `again`, documents that ran out of time or memory get another try.
    """
    missing = []
    for item in {(item.sha256, item.form): item for item in items}.values():
        entry = shelf.load(item.sha256, item.form)
        if entry is None or (again and not entry.lasting):
            missing.append(item)
    if not missing:
        return
    results = run_killable(
        partial(take_apart, shelf, limits),
        missing,
        "taking documents apart",
        workers,
        limits.document_seconds,
        limits.document_memory,
    )
    for item, result in zip(missing, results, strict=True):
        if isinstance(result, Killed):
            shelf.note(item.sha256, item.form, Shelved(status="unreadable", error=result.why, lasting=False))


def take_apart(shelf: Shelf, limits: Limits, item: ToOpen) -> None:
    """Read one file onto the shelf; runs in a process of its own."""
    try:
        data = item.file.read_bytes()
        if sha256(data).hexdigest() != item.sha256:
            raise UnreadableDocumentError("the file changed while it was read; it is read at the next run")
        with warnings.catch_warnings(action="ignore"):  # of what a library leaves out, such as slicers of Excel
            document = item.form.read(data, limits)
    except SkippedDocumentError as error:
        shelf.note(item.sha256, item.form, Shelved(status="skipped", error=str(error)))
    except MemoryError:
        why = f"it takes more than {limits.document_memory} bytes of memory to read (limits.document_memory)"
        shelf.note(item.sha256, item.form, Shelved(status="unreadable", error=why, lasting=False))
    except UnreadableDocumentError as error:
        shelf.note(item.sha256, item.form, Shelved(status="unreadable", error=str(error)))
    except CONTAINER_ERRORS as error:
        why = f"not readable as {item.form.name}: {type(error).__name__}: {error}"
        shelf.note(item.sha256, item.form, Shelved(status="unreadable", error=why))
    else:
        shelf.store(item.sha256, item.form, document)


class OpenedDocuments:
    """The shelf as the document stage uses it: one document after the other, with the text of scanned pages."""

    def __init__(self, collection: Collection, shelf: Path, ocr_cache: Path | None) -> None:
        self._limits = collection.limits
        self._shelf = Shelf(shelf)
        self._ocr_cache = ocr_cache
        self._pending: dict[str, str] = {}

    def get(self, item: ToOpen) -> Shelved:
        """What came of a file; taken apart now when it is not on the shelf."""
        if (shelved := self._shelf.load(item.sha256, item.form)) is None:
            open_documents([item], self._shelf, self._limits, 1)
            shelved = self._shelf.load(item.sha256, item.form)
        return shelved or Shelved(status="unreadable", error="the file changed while it was read")

    def wants_ocr(self, shelved: Shelved) -> bool:
        """Whether OCR has yet to read a page of it; the page is then noted for read_scans."""
        if self._ocr_cache is None:
            return False
        scans = self._scans(shelved).values()
        pending = {image_id: uri for image_id, uri in scans if load_entry(self._ocr_cache, image_id) is None}
        self._pending |= pending
        return bool(pending)

    def read_scans(self) -> None:
        """Read the pages that were noted into the OCR cache."""
        if self._ocr_cache is not None and self._pending:
            read_pending(self._pending, self._ocr_cache, self._limits)

    def text_of(self, shelved: Shelved) -> ParsedDocument:
        """The document with what OCR read in its scanned pages."""
        assert shelved.document is not None
        if self._ocr_cache is None:
            return shelved.document
        texts = {}
        for name, (image_id, _) in self._scans(shelved).items():
            entry = load_entry(self._ocr_cache, image_id)
            texts[name] = [line.text for line in entry.lines] if entry else []
        return with_scans(shelved.document, texts)

    def _scans(self, shelved: Shelved) -> dict[str, tuple[str, str]]:
        """Name to image id and address of the pictures that are pages."""
        names = set(shelved.document.scans.values()) if shelved.document else set()
        return {
            picture.name: (picture.image_id, self._shelf.picture_file(picture).as_uri())
            for picture in shelved.pictures
            if picture.name in names
        }
