"""The fingerprint of a collection's inputs: content, not times, read within a time limit and gone on with later."""

import hashlib
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from kg_pipeline.config import Collection
from kg_pipeline.ids import sha256_file, sha256_text
from kg_pipeline.inputs.listing import InputFile, list_inputs, unlistable_places
from kg_pipeline.inputs.stores import begin_again, look_at_stores
from kg_pipeline.storage.atomic import replacing

SAMPLED_FROM_BYTES = 1_000_000_000
"""Larger files (archives) would take a tick of their own: their time counts too, and blocks here and there."""
SAMPLES, SAMPLE_BYTES = 64, 1 << 20
SURE_AFTER_SECONDS = 2.0
"""A file may be written again within the resolution of its time (2 s on FAT, 1 s on old NFS) and look the same."""

SCHEMA = {
    "file": pl.String,
    "bytes": pl.Int64,
    "modified_ns": pl.Int64,
    "changed_ns": pl.Int64,
    "inode": pl.UInt64,
    "content": pl.String,
}


@dataclass(frozen=True)
class Look:
    """What a file looks like without reading it; `rsync -t` can keep size and time of another content, not these."""

    bytes: int
    modified_ns: int
    changed_ns: int
    inode: int


@dataclass(frozen=True)
class Scan:
    """What was found. The fingerprint is there when everything was read and no place was away."""

    fingerprint: str | None
    files: int = 0
    read: int = 0
    """Files whose content was read now; of the others it was known."""
    pending: int = 0
    """Files, and stores with their rest, that the time limit left for the next time."""
    problems: tuple[str, ...] = ()


def scan_inputs(collection: Collection, memory: Path, until: float) -> Scan:
    """Fingerprint of configuration, paths and contents of a collection, read until `time.monotonic()` is `until`.

    `memory` is a file that keeps the contents of files that look as they did; at least one file is read each time. Of
    stores the listing counts, whose progress is kept beside it.
    Nodes of a graph that are read as documents or concepts are not looked at.
    """
    if problems := unlistable_places(collection):
        return Scan(None, problems=tuple(problems))
    listings = memory.with_suffix(".stores.json")
    stores = look_at_stores(collection, listings, until)
    if stores.problems or stores.pending:
        return Scan(None, stores.objects, pending=stores.pending, problems=stores.problems)
    known, inputs = _recall(memory), list_inputs(collection)
    contents: dict[str, tuple[Look, str]] = {}
    lines, read, pending = list(stores.lines), 0, 0
    for entry in inputs:
        look = _looked_at(entry)
        if isinstance(look, str):
            lines.append(f"{entry.path}\0{look}")
            continue
        # A name may hold bytes that are no text, which Parquet would refuse.
        key = sha256_text(str(entry.file))
        remembered = contents.get(key) or known.get(key)
        if remembered and remembered[0] == look:
            state = remembered[1]
        elif read and time.monotonic() > until:
            pending += 1
            continue
        else:
            read += 1
            state = _content(entry, look)
        if not state.startswith("error:") and _is_sure(look):
            contents[key] = (look, state)
        lines.append(f"{entry.path}\0{state}")
    if contents != known:
        _remember(memory, contents)
    files = len(inputs) + stores.objects
    if pending:
        return Scan(None, files, read, pending)
    if stores.lines:
        begin_again(listings)
    return Scan(sha256_text("\n".join([collection.model_dump_json(), *lines]))[:32], files, read)


def _looked_at(entry: InputFile) -> Look | str:
    if entry.file is None:
        return f"error:{entry.error}"
    try:
        status = entry.file.stat()
    except OSError as error:
        return f"error:{error.errno}"
    return Look(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _content(entry: InputFile, look: Look) -> str:
    """Hash of a file, or `error:` and why it cannot be read, which is a state of it too."""
    assert entry.file is not None
    try:
        return sha256_file(entry.file) if look.bytes < SAMPLED_FROM_BYTES else _sampled(entry.file, look)
    except OSError as error:
        return f"error:{error.errno}"


def _sampled(file: Path, look: Look) -> str:
    digest = hashlib.sha256(f"{look.bytes}:{look.modified_ns}".encode())
    with file.open("rb") as data:
        for number in range(SAMPLES):
            data.seek((look.bytes - SAMPLE_BYTES) * number // (SAMPLES - 1), os.SEEK_SET)
            digest.update(data.read(SAMPLE_BYTES))
    return digest.hexdigest()


def _is_sure(look: Look) -> bool:
    return time.time() - max(look.modified_ns, look.changed_ns) / 1e9 > SURE_AFTER_SECONDS


def _recall(memory: Path) -> dict[str, tuple[Look, str]]:
    try:
        rows = pl.read_parquet(memory, glob=False).select(*SCHEMA).iter_rows()
    except (FileNotFoundError, pl.exceptions.PolarsError):
        return {}  # it is a cache: without it everything is read
    return {file: (Look(*look), content) for file, *look, content in rows}


def _remember(memory: Path, contents: dict[str, tuple[Look, str]]) -> None:
    rows = [{"file": file, **asdict(look), "content": content} for file, (look, content) in sorted(contents.items())]
    with replacing(memory) as beside:
        pl.DataFrame(rows, schema=SCHEMA).write_parquet(beside, compression="zstd")
