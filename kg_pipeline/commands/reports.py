"""`kg-pipeline reports`: the pages of HOME/reports over http, where no `kg-pipeline dev` does that."""

import signal
import threading
from typing import Annotated

import typer

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Home, fail, home_folder
from kg_pipeline.commands.report_server import serve_reports


def reports(
    home: Home = None,
    host: Annotated[str, typer.Option(help="Address to listen on. Nobody is asked for a password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 3001,
) -> None:
    """Serve galleries, edges and evaluations for the links in Dagster, until Ctrl-C or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with serve_reports(home_folder(home), port, host) as address:
            out.print(f"reports: {address}", highlight=False, soft_wrap=True)
            stopped.wait()
    except OSError as error:
        raise fail(f"reports cannot be served on {host}:{port}: {error.strerror}") from error
