"""What several commands share: the HOME option, output formats, the way an error ends a command."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.markup import escape

from kg_pipeline.commands.console import err, flat, print_frame
from kg_pipeline.config import Settings

Home = Annotated[
    Path | None,
    typer.Option(help="Folder for tables, caches, reports and the embedded graph.", envvar="KG_PIPELINE_HOME"),
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
