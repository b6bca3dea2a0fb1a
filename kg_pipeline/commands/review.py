"""`kg-pipeline review …`: say of a pair that the picture shows the text, or that it does not."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Format, Home, fail, home_folder, print_as
from kg_pipeline.storage import TableStore
from kg_pipeline.verdicts import ACCEPTED, REJECTED, Review, VerdictError, clear_verdict, give_verdict, list_verdicts

app = typer.Typer(
    no_args_is_help=True, help="Verdicts on pairs of picture and text. No graph is needed; the next run writes them."
)

CollectionName = Annotated[str, typer.Option("--collection", help="The collection.")]
Image = Annotated[
    str, typer.Option(metavar="PATH", help="A path as in table image_files, an image_id, or the path of the file.")
]
Text = Annotated[str, typer.Option(metavar="CHUNK_ID|CONCEPT_ID", help="`id` of the node in the graph.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; your login name by default.")]


@app.command("accept")
def accept(collection: CollectionName, image: Image, text: Text, by: By = None, home: Home = None) -> None:
    """The picture shows the text: the pair is kept, whatever its score, until somebody says otherwise."""
    _give(collection, image, text, ACCEPTED, by, home)


@app.command("reject")
def reject(collection: CollectionName, image: Image, text: Text, by: By = None, home: Home = None) -> None:
    """The picture does not show the text: the pair is never kept."""
    _give(collection, image, text, REJECTED, by, home)


@app.command("clear")
def clear(collection: CollectionName, image: Image, text: Text, home: Home = None) -> None:
    """Take back what was said of the pair: its score decides again."""
    try:
        review = clear_verdict(TableStore(home_folder(home)), collection, image, text)
    except VerdictError as error:
        raise fail(str(error)) from error
    _say(f"cleared: {review.image} with {review.text}", review)


@app.command("list")
def list_(
    collection: CollectionName,
    home: Home = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Every verdict, newest first; `text_id` is empty where the text or the image is gone."""
    print_as(list_verdicts(TableStore(home_folder(home)), collection), format)


def _give(collection: str, image: str, text: str, verdict: str, by: str | None, home: Home) -> None:
    try:
        review = give_verdict(
            TableStore(home_folder(home)), collection, image, text, verdict, by or _login(), datetime.now(UTC)
        )
    except VerdictError as error:
        raise fail(str(error)) from error
    _say(f"{verdict}: {review.image} with {review.text}", review)


def _say(done: str, review: Review) -> None:
    before = ", ".join(f"{verdict} by {by}" for verdict, by in review.before)
    out.print(escape(done + (f" (before: {before})" if before else "")), highlight=False, soft_wrap=True)
    out.print("The next run brings it to the graph.", style="dim")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise fail("this machine does not know your name: say it with --by NAME", 2) from error
