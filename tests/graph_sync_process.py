"""A process that syncs: `python graph_sync_process.py FRAMES HOME`, when it reads a line; for tests that kill it."""

import sys
from pathlib import Path

import polars as pl

from kg_pipeline.config import Settings
from kg_pipeline.graph import Graph, GraphError, connect, sync

COLLECTION = "test"


def save(graph: Graph, folder: Path) -> Path:
    """Write a graph to a folder."""
    folder.mkdir()
    for name, rows in graph.parts():
        rows.write_parquet(folder / f"{name}.parquet")
    return folder


def load(folder: Path) -> Graph:
    """The graph that `save` wrote."""
    parts = {name: pl.read_parquet(folder / f"{name}.parquet") for name in Graph.empty().counts()}
    return Graph.of(parts, parts)


def main(frames: Path, home: Path) -> int:
    """Sync to the server of the environment; the exit code."""
    wanted = load(frames)
    try:
        with connect(Settings(), home) as connection:
            _say("ready")
            sys.stdin.readline()
            report = sync(connection, COLLECTION, wanted, home=home, allow_mass_delete=True)
    except GraphError as error:
        _say(error)
        return 1
    _say(report.generation)
    return 0


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
