"""The process of the embedded graph server: `python -m kg_pipeline.graph.embedded_server HOME`."""

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

from filelock import Timeout

from kg_pipeline.graph.embedded import DATABASE, ServerFolder, locked

WATCH_SECONDS = 0.5
HEAP = os.environ.get("KG_PIPELINE_EMBEDDED_HEAP", "2g")


def main(home: Path) -> int:
    """Serve until no user is left or a signal asks to stop; the exit code of the process."""
    folder = ServerFolder(home)
    alive = locked(folder.alive)
    if alive is None:
        print(f"another server already runs in {folder.path}", file=sys.stderr)  # noqa: T201 - goes to the log
        return 1
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    with alive:
        # ArcadeDB writes ./log whatever it is told; the starter made HOME/graph the working directory.
        from arcadedb_embedded.server import ArcadeDBServer

        port, http_port = _free_ports(2)
        server = ArcadeDBServer(
            root_path=str(folder.data),
            root_password=folder.password(),
            config={
                "http_port": http_port,
                "host": "127.0.0.1",
                "mode": "production",
                "server_plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
                "bolt_port": port,
            },
            jvm_kwargs={"heap_size": HEAP},
        )
        server.start()
        try:
            server.create_database(DATABASE)
            # After the JVM, which installs handlers of its own.
            signal.signal(signal.SIGINT, on_signal)
            signal.signal(signal.SIGTERM, on_signal)
            beside = folder.state.with_suffix(".new")
            beside.write_text(json.dumps({"port": port, "pid": os.getpid()}))
            beside.replace(folder.state)
            _serve(folder, stop)
        finally:
            folder.state.unlink(missing_ok=True)
            server.stop()
            if folder.attach_lock.is_locked:
                folder.attach_lock.release()
    return 0


def _serve(folder: ServerFolder, stop: threading.Event) -> None:
    """Return when a signal came, or, holding the attach lock, when there is no user left."""
    while not stop.wait(WATCH_SECONDS):
        if folder.user_files():
            continue
        try:
            folder.attach_lock.acquire(timeout=0)
        except Timeout:
            continue  # somebody is attaching
        if not folder.user_files():
            return
        folder.attach_lock.release()


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
