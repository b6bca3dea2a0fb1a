"""`kg-pipeline graph …`: ask the graph, compare it with the tables."""

from typing import Annotated, Any

import polars as pl
import typer
from neo4j.time import Date, DateTime, Duration, Time

from kg_pipeline.commands.console import print_plan
from kg_pipeline.commands.options import Format, Home, home_folder, print_as
from kg_pipeline.commands.parameters import parse_parameters
from kg_pipeline.config import Settings
from kg_pipeline.graph import WANTED_TABLES, Names, connect, difference, schema_text, wanted_graph
from kg_pipeline.storage import TableStore

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
    store = TableStore(root)
    frames = {name: store.scan(name, collection).collect() for name in WANTED_TABLES}
    with connect(Settings(), root) as connection:
        found = difference(connection, collection, wanted_graph(collection, frames), home=root)
    print_plan(found.plan)


def _plain(value: Any) -> Any:
    """The value with times of the graph as text; frames know nothing of them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.iso_format() if isinstance(value, Date | DateTime | Duration | Time) else value
