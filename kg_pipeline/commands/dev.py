"""`kg-pipeline dev`: Dagster's web UI and daemon on a HOME."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Home, fail, home_folder
from kg_pipeline.commands.report_server import serve_reports
from kg_pipeline.config import ConfigError, Settings
from kg_pipeline.graph import GraphError, connect


def dev(
    home: Home = None,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI on 127.0.0.1.")] = 3000,
    reports_port: Annotated[
        int | None, typer.Option(help="Port of gallery and edges on 127.0.0.1; --port plus 1 by default.")
    ] = None,
) -> None:
    """Start Dagster's web UI and daemon on HOME, with the embedded graph unless NEO4J_URI is set."""
    from kg_pipeline.orchestration.dead_runs import release_dead_runs
    from kg_pipeline.orchestration.instance import dagster_home, open_instance
    from kg_pipeline.orchestration.partitions import sync_partitions
    from resources.collections import Collections

    root = home_folder(home)
    environment = {**os.environ, "KG_PIPELINE_HOME": str(root), "DAGSTER_HOME": str(dagster_home(root))}
    # A shell that starts this in the background makes it ignore Ctrl-C, and so would all it starts.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with open_instance(root) as instance:
            release_dead_runs(instance)
            sync_partitions(instance, Collections(home=str(root)).all())
        with connect(Settings(), root) as connection, _served(root, port, reports_port) as reports:
            environment["KG_PIPELINE_REPORTS_URL"] = reports
            out.print(
                f"graph:   {connection.address}\nui:      http://127.0.0.1:{port}\nreports: {reports or 'files only'}\n"
                f"home:    {root}"
            )
            command = [sys.executable, "-m", "dagster", "dev", "-m", "kg_pipeline.definitions"]
            # In a session of its own, so that Ctrl-C reaches it once, from here, and not a second time by the terminal.
            process = subprocess.Popen(
                [*command, "-h", "127.0.0.1", "-p", str(port)], env=environment, start_new_session=True
            )
            try:
                code = process.wait()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                code = process.wait()
    except (ConfigError, GraphError) as error:
        raise fail(str(error)) from error
    raise typer.Exit(code)


@contextmanager
def _served(root: Path, port: int, reports_port: int | None) -> Iterator[str]:
    """The address of the reports, for the links in Dagster: what the environment names, else a server of our own."""
    named = Settings().reports_url
    with ExitStack() as stack:
        yield named or _started(stack, root, port + 1, reports_port)


def _started(stack: ExitStack, root: Path, usual: int, wanted: int | None) -> str:
    try:
        return stack.enter_context(serve_reports(root, usual if wanted is None else wanted))
    except OSError as error:
        if wanted is not None:
            raise fail(f"reports cannot be served on port {wanted}: {error.strerror}") from error
        out.print(f"reports are not served, port {usual} is taken; --reports-port gives another")
        return ""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
