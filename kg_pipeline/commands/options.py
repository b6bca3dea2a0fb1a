"""What several commands share: the HOME option, output formats, the way an error ends a command."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from pydantic import ValidationError
from rich.markup import escape

from kg_pipeline.commands.console import err, flat, print_frame
from kg_pipeline.config import Scoring, Settings
from kg_pipeline.model_sections import RemoteReranker

Home = Annotated[
    Path | None,
    typer.Option(help="Folder for tables, caches, reports and the embedded graph.", envvar="KG_PIPELINE_HOME"),
]

RerankerUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Server that --reranker remote asks, instead of scoring.remote.url.",
        envvar="KG_PIPELINE_RERANKER_URL",
    ),
]


class Format(StrEnum):
    """Output formats of `tables`."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def fail(message: str, code: int = 1) -> typer.Exit:
    """Print an error; `raise` what is returned."""
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    return typer.Exit(code)


def home_folder(home: Path | None) -> Path:
    """The HOME that an option or the environment names."""
    return home.expanduser().absolute() if home else Settings().home


def changed_scoring(scoring: Scoring, given: Mapping[str, Any], reranker_url: str | None = None) -> Scoring:
    """The section with what options say; None stands for an option that was not given."""
    update = {name: value for name, value in given.items() if value is not None}
    if reranker_url is not None:
        section = scoring.remote.model_dump() if scoring.remote else {}
        try:
            update["remote"] = RemoteReranker.model_validate({**section, "url": reranker_url})
        except ValidationError as error:
            raise fail(f"--reranker-url: {error.errors()[0]['msg'].removeprefix('Value error, ')}", 2) from error
    return scoring.model_copy(update=update)


def print_as(frame: pl.DataFrame, form: Format) -> None:
    """Print a frame in that format on standard output."""
    if form is Format.JSON:
        sys.stdout.write((frame.write_json() if len(frame) else "[]") + "\n")
    elif form is Format.PARQUET:
        frame.write_parquet(sys.stdout.buffer)
    elif form is Format.CSV:
        sys.stdout.write(flat(frame).write_csv())
    else:
        print_frame(frame)
