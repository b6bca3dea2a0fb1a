"""What was last written to a graph from this HOME, so that the next run needs not read it back."""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import polars as pl

from kg_pipeline.graph.apply import Head
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.frames import Graph
from kg_pipeline.ids import sha256_text
from kg_pipeline.storage.atomic import replacing


class SyncedState:
    """`HOME/synced/<collection>/<server>/`: one Parquet file per label and type in a folder named in `state.json`."""

    def __init__(self, home: Path, collection: str, identity: str) -> None:
        self.path = home.absolute() / "synced" / collection / sha256_text(identity)[:12]
        self.pointer = self.path / "state.json"

    def load(self, head: Head) -> Graph | None:
        """The graph as it was written, when it is at `head` now; None when it is not or was never written from here."""
        try:
            state = json.loads(self.pointer.read_text())
            if state["head"] != json.loads(json.dumps(asdict(head))):
                return None
            folder = self.path / state["folder"]
            names = list(Graph.empty().counts())
            parts = pl.collect_all([pl.scan_parquet(folder / f"{name}.parquet") for name in names])
            return Graph.of_sorted(dict(zip(names, parts, strict=True)))
        except (FileNotFoundError, KeyError, json.JSONDecodeError, pl.exceptions.PolarsError):
            # Written by another version, or damaged: the graph itself is read back instead.
            return None

    def save(self, head: Head, graph: Graph) -> None:
        """Replace the state, atomically: a crash leaves the old one. Raises GraphError."""
        self.point(head, self.write(graph))

    def write(self, graph: Graph) -> Path:
        """Write the rows into a folder that does not count before `point` says so. Raises GraphError."""
        folder = self.path / secrets.token_hex(8)
        with self._explained():
            folder.mkdir(parents=True)
            for name, rows in graph.parts():
                # Level 1 takes two thirds of the time of the default, while the server wants the processor.
                rows.write_parquet(folder / f"{name}.parquet", compression="zstd", compression_level=1)
        return folder

    def point(self, head: Head, folder: Path) -> None:
        """Make the rows of a folder the state at `head`, and remove those of others. Raises GraphError."""
        with self._explained():
            with replacing(self.pointer) as beside:
                beside.write_text(json.dumps({"head": asdict(head), "folder": folder.name}))
            for old in self.path.iterdir():
                if old.is_dir() and old != folder:
                    shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise GraphError(
                f"the note of what is in the graph cannot be written to {self.path} ({error.strerror or error}): free "
                "space or correct the rights; the next run then reads the graph back"
            ) from error
