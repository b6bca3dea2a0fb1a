"""The graph server: the one that NEO4J_URI names, else the embedded one of HOME."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from kg_pipeline.config import Settings
from kg_pipeline.graph import Connection, connect, reading_nodes
from kg_pipeline.graph_nodes import ReadNodes


class Graph(dg.ConfigurableResource):
    """Connections to the graph. Address and secrets come from the environment, never from run configuration."""

    home: str | None = None
    enabled: bool = True
    """False: nothing reads or writes the graph in this run."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for one step. Raises GraphError naming the address and what to do."""
        settings = Settings()
        with connect(settings, self._home(settings)) as connection:
            yield connection

    @contextmanager
    def read_nodes(self) -> Iterator[ReadNodes]:
        """A reader of the nodes that collections name as sources; it connects when it is first asked."""
        settings = Settings()
        with reading_nodes(settings, self._home(settings), enabled=self.enabled) as read:
            yield read

    def _home(self, settings: Settings) -> Path:
        return Path(self.home).absolute() if self.home else settings.home
