"""`kg-pipeline tables` and `ocr import`: what a run left behind, and what it need not make again."""

from pathlib import Path
from typing import Annotated

import typer

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Format, Home, fail, home_folder, print_as
from kg_pipeline.images import ImageError, import_ocr
from kg_pipeline.storage import StorageError, TableStore
from kg_pipeline.tables import TABLES


def tables(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(TABLES)}.")],
    collection: Annotated[str, typer.Option(help="The collection.")],
    home: Home = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Print a table of the last run."""
    try:
        frame = TableStore(home_folder(home)).scan(name, collection).collect()
    except StorageError as error:
        raise fail(str(error)) from error
    print_as(frame, format)


def ocr_import(
    file: Annotated[Path, typer.Argument(help="CSV with sha256, line, text, confidence and the box of each line.")],
    home: Home = None,
) -> None:
    """Take over text that was read in images before, so that it is not read again."""
    try:
        count = import_ocr(file, home_folder(home) / "cache" / "ocr")
    except ImageError as error:
        raise fail(str(error)) from error
    out.print(f"{count} images added to the cache")
