"""Which files a collection is made from: documents, images, archives and manifests as such, the glossary."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kg_pipeline.config import Collection
from kg_pipeline.documents.listing import UnlistedFolder, list_documents
from kg_pipeline.images.places import list_images


@dataclass(frozen=True)
class InputFile:
    """A file that a run would read, or what is known of a place where there should be some."""

    path: str
    """As in the tables, or the key of the configuration that names it."""
    file: Path | None
    """None when there is nothing to read, for the reason `error`."""
    error: str = ""


def list_inputs(collection: Collection) -> list[InputFile]:
    """Every input on this machine, in a fixed order. Files that are listed twice (documents, images) stand twice."""
    found = [*_documents(collection), *_images(collection), *_named_files(collection)]
    return sorted(found, key=lambda entry: (entry.path, str(entry.file)))


def unlistable_places(collection: Collection) -> list[str]:
    """Roots, folders, archives and manifests on this machine that are not there or cannot be opened, and why.

    A collection without one of its places is not a smaller collection: the disk is away. What is inside is another
    matter, a folder below that cannot be listed is a state like any other.
    """
    problems = []
    for place in [
        *(root.root for root in collection.roots),
        *(entry.location for entry in collection.images if not entry.store),
    ]:
        try:
            if place.is_dir():
                os.scandir(place).close()
            else:
                place.open("rb").close()
        except OSError as error:
            problems.append(f"{place}: {error.strerror or error}")
    return problems


def _documents(collection: Collection) -> Iterator[InputFile]:
    for root in collection.roots:
        for entry in list_documents(root):
            if isinstance(entry, UnlistedFolder):
                yield InputFile(entry.path, None, "cannot be listed")
            elif entry.leaves_root:
                yield InputFile(entry.path, None, "leaves the root")
            else:
                yield InputFile(entry.path, entry.file)


def _images(collection: Collection) -> Iterator[InputFile]:
    # An archive is one file here: to list its members is what the run does, and would take the time of a tick.
    archives = [entry for entry in collection.images if entry.archive]
    loose = collection.model_copy(update={"images": tuple(entry for entry in collection.images if not entry.archive)})
    for listed in list_images(loose):
        if listed.status == "ok":
            yield InputFile(listed.path, Path(listed.identity))
        else:
            yield InputFile(listed.path, None, listed.status)
    yield from (InputFile(entry.prefix, entry.location) for entry in archives)


def _named_files(collection: Collection) -> Iterator[InputFile]:
    for entry in collection.images:
        if entry.manifest:
            yield InputFile(entry.prefix, entry.manifest)
    if collection.concepts.glossary:
        yield InputFile("concepts.glossary", collection.concepts.glossary)
    if collection.hide_references:
        yield InputFile("hide_references", collection.hide_references)
