"""`kg-pipeline graph …`: ask the graph, compare it with the tables."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from neo4j.time import Date, DateTime, Duration, Time

from kg_pipeline.commands.console import out, print_plan, print_verification, progress_bars
from kg_pipeline.commands.options import Format, Home, fail, home_folder, print_as
from kg_pipeline.commands.parameters import parse_parameters
from kg_pipeline.config import Settings
from kg_pipeline.graph import (
    WANTED_TABLES,
    Graph,
    GraphError,
    Names,
    connect,
    difference,
    export_graph,
    schema_text,
    verify,
    wanted_graph,
)
from kg_pipeline.storage import StorageError, TableStore


class ExportFormat(StrEnum):
    """Formats of `graph export`."""

    PARQUET = "parquet"
    CSV = "csv"
    CYPHER = "cypher"


LOADING = {
    ExportFormat.CSV: "Into a new database, where Neo4j does not run: sh {folder}/import.sh [DATABASE]",
    ExportFormat.CYPHER: "Into any database: cypher-shell -f {folder}/graph.cypher",
}

app = typer.Typer(no_args_is_help=True, help="The graph server: NEO4J_URI, else the embedded one of HOME.")


@app.command("query")
def query(
    cypher: Annotated[str, typer.Argument(help="A reading Cypher statement.")],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A $NAME of the statement; JSON or text. Repeatable."),
    ] = None,
    home: Home = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Ask the graph, also the embedded one, which is started for it."""
    parameters = parse_parameters(param or [])
    with connect(Settings(), home_folder(home)) as connection:
        records = connection.ask(cypher, **parameters)
    print_as(pl.DataFrame([_plain(record) for record in records], infer_schema_length=None), format)


@app.command("schema")
def schema() -> None:
    """Print the graph model in words, for tools that let a language model write Cypher."""
    typer.echo(schema_text(Names.of(Settings().graph_names)))


@app.command("diff")
def diff(collection: Annotated[str, typer.Option(help="The collection.")], home: Home = None) -> None:
    """Say what the next sync of the tables would write and delete; nothing is written."""
    root = home_folder(home)
    wanted = _wanted(root, collection)
    with connect(Settings(), root) as connection:
        found = difference(connection, collection, wanted, home=root)
    print_plan(found.plan)


@app.command("verify")
def verify_(collection: Annotated[str, typer.Option(help="The collection.")], home: Home = None) -> None:
    """Read everything of a collection back and compare it with the tables; nothing is written.

    Ends with 0 when the graph is as the tables say, with 1 when it differs, with 2 when that cannot be told.
    """
    root = home_folder(home)
    try:
        wanted = _wanted(root, collection)
        with connect(Settings(), root) as connection, progress_bars():
            found = verify(connection, collection, wanted)
    except (GraphError, StorageError) as error:
        raise fail(str(error), 2) from error
    if found.identical:
        rows = f"{found.nodes} nodes and {found.relationships} relationships"
        out.print(f"identical: {rows} of {collection} are as the tables say", highlight=False)
        return
    print_verification(found)
    raise typer.Exit(1)


@app.command("export")
def export(
    collection: Annotated[str, typer.Option(help="The collection.")],
    format: Annotated[ExportFormat, typer.Option(help="Parquet, CSV for neo4j-admin, or a Cypher script.")],  # noqa: A002
    output: Annotated[Path, typer.Option(metavar="DIR", help="A new or empty folder, or an earlier export.")],
    home: Home = None,
) -> None:
    """Write the graph of the tables to files; no server is needed."""
    wanted = _wanted(home_folder(home), collection)
    with progress_bars():
        folder, names = output.expanduser().absolute(), Names.of(Settings().graph_names)
        exported = export_graph(collection, wanted, format.value, folder, datetime.now(UTC), names)
    out.print(f"{sum(exported.rows.values())} rows in {output}: {', '.join(exported.files)}", highlight=False)
    if exported.left_out:
        out.print(f"left out: {exported.left_out} relationships to nodes that are not ours, which CSV cannot match")
    if hint := LOADING.get(format):
        out.print(hint.format(folder=output), highlight=False, markup=False, soft_wrap=True)


def _wanted(root: Path, collection: str) -> Graph:
    store = TableStore(root)
    return wanted_graph(collection, {name: store.scan(name, collection).collect() for name in WANTED_TABLES})


def _plain(value: Any) -> Any:
    """The value with times of the graph as text; frames know nothing of them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.iso_format() if isinstance(value, Date | DateTime | Duration | Time) else value
