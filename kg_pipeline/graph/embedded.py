"""The embedded graph server of a HOME (ArcadeDB, one process): attach to it or start it, leave it to stop itself."""

import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil
from filelock import FileLock, Timeout

from kg_pipeline.graph.errors import GraphError

DATABASE = "graph"
USER = "root"
# A start takes 2-3 s; recovery after a kill and a busy machine take longer.
START_SECONDS = 90.0
POLL_SECONDS = 0.1
LOG_LINES = 15


@dataclass(frozen=True)
class EmbeddedServer:
    """Where the server of a HOME answers, and the login for it."""

    uri: str
    auth: tuple[str, str] = field(repr=False)
    database: str = DATABASE


class ServerFolder:
    """`HOME/graph`: data, log, password, and the files through which users and server know of each other.

    A file in `users/` that somebody holds locked is a user; the lock goes with the process, however it ends.
    `server.lock` is held by the running server for its whole life, so `server.json` of a dead one is never believed.
    `attach.lock` is held by whoever attaches, starts or stops, so that no user comes while the server goes.
    """

    def __init__(self, home: Path) -> None:
        self.path = home.absolute() / "graph"
        self.users = self.path / "users"
        self.data = self.path / "data"
        self.log = self.path / "server.log"
        self.state = self.path / "server.json"
        self.alive = self.path / "server.lock"
        self.password_file = self.path / "password"
        self.attach_lock = FileLock(self.path / "attach.lock")

    def prepare(self) -> None:
        """Create the folder, readable by its owner alone. Raises GraphError."""
        try:
            self.users.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise GraphError(
                f"the embedded graph cannot use {self.path} ({error.strerror or error}): set KG_PIPELINE_HOME or "
                "--home to a folder you may write to, or NEO4J_URI to a server"
            ) from error

    def password(self) -> str:
        """The password of the server, made on first use and kept with mode 0600."""
        if not self.password_file.exists():
            beside = self.password_file.with_suffix(".new")
            beside.unlink(missing_ok=True)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
            beside.replace(self.password_file)
        return self.password_file.read_text()

    def running(self) -> EmbeddedServer | None:
        """The server, when one runs and is ready."""
        if not is_locked(self.alive):
            return None
        try:
            port = json.loads(self.state.read_text())["port"]
        except FileNotFoundError:
            return None
        return EmbeddedServer(f"bolt://127.0.0.1:{port}", (USER, self.password()))

    def user_files(self) -> list[Path]:
        """Files of users whose process still holds them; the others are removed."""
        held = []
        for path in sorted(self.users.glob("*.user")):
            if is_locked(path):
                held.append(path)
            else:
                path.unlink(missing_ok=True)
        return held

    def log_tail(self) -> str:
        """The last lines of the log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])


@contextmanager
def attached(home: Path) -> Iterator[EmbeddedServer]:
    """Use the embedded server of `home`, starting it when there is none. Raises GraphError.

    The server stops by itself when its last user has left the block or died.
    """
    folder = ServerFolder(home)
    folder.prepare()
    with _registered(folder) as user:
        server = _attach_or_start(folder)
        try:
            yield server
        finally:
            Path(user.name).unlink(missing_ok=True)


def locked(path: Path) -> IO[str] | None:
    """The file, created when missing, open and locked until it is closed; None when another process holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of the file."""
    try:
        file = path.open("r")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _registered(folder: ServerFolder) -> Iterator[IO[str]]:
    # Locked before it gets the name under which the server looks for users: never seen unlocked.
    beside = folder.users / f"{os.getpid()}-{secrets.token_hex(4)}.new"
    file = locked(beside)
    assert file is not None
    with file:
        path = beside.with_suffix(".user")
        beside.rename(path)
        try:
            yield file
        finally:
            path.unlink(missing_ok=True)


def _attach_or_start(folder: ServerFolder) -> EmbeddedServer:
    try:
        with folder.attach_lock.acquire(timeout=START_SECONDS):
            return folder.running() or _start(folder)
    except Timeout:
        raise GraphError(
            f"the embedded graph at {folder.path} neither starts nor stops within {START_SECONDS:.0f} s; end the "
            f"process that holds {folder.attach_lock.lock_file}. Its log, {folder.log}:\n{folder.log_tail()}"
        ) from None


def _start(folder: ServerFolder) -> EmbeddedServer:
    folder.password()
    folder.state.unlink(missing_ok=True)
    command = [sys.executable, "-m", "kg_pipeline.graph.embedded_server", str(folder.path.parent)]
    with folder.log.open("a") as log:
        # A session of its own: Ctrl-C in the terminal must not end the server in the middle of a write.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder.path
        )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if server := folder.running():
            return server
        time.sleep(POLL_SECONDS)
    reason = f"does not answer after {START_SECONDS:.0f} s" if process.poll() is None else f"ended ({process.poll()})"
    if process.poll() is None:
        psutil.Process(process.pid).kill()
    raise GraphError(
        f"the embedded graph server {reason}. Set NEO4J_URI to use another server, or look at its log, "
        f"{folder.log}:\n{folder.log_tail()}"
    )
