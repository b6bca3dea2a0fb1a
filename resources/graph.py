"""The graph server: the one that NEO4J_URI names, else the embedded one of HOME."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from kg_pipeline.config import Settings
from kg_pipeline.graph import Connection, connect


class Graph(dg.ConfigurableResource):
    """Connections to the graph. Address and secrets come from the environment, never from run configuration."""

    home: str | None = None
    enabled: bool = True
    """False: nothing reads or writes the graph in this run."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for one step. Raises GraphError naming the address and what to do."""
        settings = Settings()
        with connect(settings, Path(self.home).absolute() if self.home else settings.home) as connection:
            yield connection
