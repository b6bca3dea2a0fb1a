"""The files of a watched folder: which jobs are there, and how one moves through it, so that no crash loses one.

A job is claimed by moving its two files into `working/<time>_<name>/`, which is also what its result is called. It ends
by one rename of that folder into `done/` or `failed/`. So whatever is in `working` after a crash is done again under
that name, and there is never a second result.
"""

import fcntl
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path

from kg_pipeline.storage.atomic import replacing

WORKING, DONE, FAILED = "working", "done", "failed"
LOCK = ".kg-pipeline-watch.lock"
RECORD, REASON = "job.json", "reason.txt"
QUERY, ARCHIVE = ".txt", ".zip"
RESULT = "_result.json"
LABEL_BYTES = 200
"""Names of files have 255 at most; what is put before and behind them needs its share."""


class WatchError(Exception):
    """The folder cannot be watched."""


@dataclass(frozen=True)
class Identity:
    """Changes with every write to a file."""

    bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "Identity":
        """Raises OSError."""
        status = path.lstat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Pair:
    """Two files of one name, which may still be written."""

    name: str
    query: Path
    archive: Path

    def identity(self) -> tuple[Identity, Identity]:
        """Raises OSError."""
        return Identity.of(self.query), Identity.of(self.archive)


@dataclass(frozen=True)
class Job:
    """A claimed pair, in a folder of its own."""

    folder: Path
    query: Path
    archive: Path

    @property
    def label(self) -> str:
        """`<time>_<name>`."""
        return self.folder.name

    @property
    def shown(self) -> str:
        """The label as a log can take it, whatever the name is made of."""
        return self.label.encode("unicode_escape").decode() if not self.label.isprintable() else self.label


class WatchFolder:
    """One folder that jobs are put into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: TextIOWrapper | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other watcher out. Raises WatchError, OSError."""
        self.keep_lock()
        try:
            yield
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def keep_lock(self) -> None:
        """Lock the folder, again when it is another one than before: a share that went away and came back."""
        path = self.folder / LOCK
        if self._lock is not None:
            try:
                if os.path.samestat(os.fstat(self._lock.fileno()), path.stat()):
                    return
            except FileNotFoundError:
                pass
            self._lock.close()
            self._lock = None
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(200).strip() or "unknown"
            file.close()
            raise WatchError(f"{self.folder} is watched already ({holder}): stop that watcher first") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        self._lock = file

    def pairs(self) -> tuple[list[Pair], list[str]]:
        """Pairs, by name, and the files that wait for their other half. Raises OSError."""
        found: dict[str, dict[str, Path]] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                path = Path(entry.path)
                suffix = path.suffix.lower()
                # A link could lead anywhere; names that begin with a dot are files on their way.
                if (
                    suffix in (QUERY, ARCHIVE)
                    and not entry.name.startswith(".")
                    and entry.is_file(follow_symlinks=False)
                ):
                    found.setdefault(path.stem, {})[suffix] = path
        pairs = [Pair(name, files[QUERY], files[ARCHIVE]) for name, files in found.items() if len(files) == 2]
        alone = [path.name for files in found.values() if len(files) == 1 for path in files.values()]
        return sorted(pairs, key=lambda pair: pair.name), sorted(alone)

    def claim(self, pair: Pair, now: datetime, output: Path) -> Job:
        """Take the pair out of the way of others; the job has its name from now on. Raises OSError."""
        folder = self._new_folder(pair.name, now, output)
        identities = [vars(identity) for identity in pair.identity()]
        record = {"query": pair.query.name, "archive": pair.archive.name, "identities": identities}
        with replacing(folder / RECORD) as beside:
            beside.write_text(json.dumps(record), encoding="ascii")
        return self._moved(folder, pair)

    def unfinished(self) -> tuple[list[Job], list[Job]]:
        """Jobs that a crash left, and those of them that lost a file meanwhile. Raises OSError."""
        jobs, broken = [], []
        working = self.folder / WORKING
        for folder in sorted(path for path in working.iterdir() if path.is_dir()) if working.is_dir() else []:
            if not (folder / RECORD).is_file():
                _remove_unless_somebodys(folder)
                continue
            record = json.loads((folder / RECORD).read_text(encoding="ascii"))
            pair = Pair("", self.folder / record["query"], self.folder / record["archive"])
            identities = [Identity(**identity) for identity in record["identities"]]
            missing = [path for path in (pair.query, pair.archive) if not (folder / path.name).exists()]
            wanted = dict(zip((pair.query, pair.archive), identities, strict=True))
            if all(_is(path, wanted[path]) for path in missing):
                jobs.append(self._moved(folder, pair))
            elif len(missing) == 2:
                # Replaced before anything was moved: a new job of its own.
                (folder / RECORD).unlink()
                folder.rmdir()
            else:
                broken.append(Job(folder, folder / pair.query.name, folder / pair.archive.name))
        return jobs, broken

    def finish(self, job: Job) -> None:
        """The job is done, and its result is there. Raises OSError."""
        self._end(job, DONE)

    def fail(self, job: Job, reason: str) -> None:
        """The job cannot be done. Raises OSError."""
        with replacing(job.folder / REASON) as beside:
            beside.write_text(reason + "\n", encoding="utf-8")
        self._end(job, FAILED)

    def _end(self, job: Job, folder: str) -> None:
        target = self.folder / folder
        target.mkdir(exist_ok=True)
        job.folder.rename(target / job.label)

    def _new_folder(self, name: str, now: datetime, output: Path) -> Path:
        time, short = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"), _shortened(name)
        (self.folder / WORKING).mkdir(exist_ok=True)
        count = 1
        while True:
            label = f"{time}_{short}" if count == 1 else f"{time}-{count}_{short}"
            taken = [self.folder / DONE / label, self.folder / FAILED / label, output / f"{label}{RESULT}"]
            folder = self.folder / WORKING / label
            if not folder.exists() and not any(path.exists() for path in taken):
                folder.mkdir()
                return folder
            count += 1

    def _moved(self, folder: Path, pair: Pair) -> Job:
        for path in (pair.archive, pair.query):
            if not (folder / path.name).exists():
                path.rename(folder / path.name)
        return Job(folder, folder / pair.query.name, folder / pair.archive.name)


def _remove_unless_somebodys(folder: Path) -> None:
    """Remove what a watcher left that was killed before it moved anything; what else lies there is not ours."""
    left = list(folder.iterdir())
    if all(path.name.startswith(f".{RECORD}.") for path in left):
        for path in left:
            path.unlink()
        folder.rmdir()


def _is(path: Path, identity: Identity) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode) and Identity.of(path) == identity
    except FileNotFoundError:
        return False


def _shortened(name: str) -> str:
    data = os.fsencode(name)
    if len(data) <= LABEL_BYTES:
        return name
    return os.fsdecode(data[: LABEL_BYTES - 9]).encode("utf-8", "ignore").decode() + "~" + sha256(data).hexdigest()[:8]
