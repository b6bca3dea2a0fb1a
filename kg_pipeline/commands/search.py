"""`kg-pipeline search`: passages that answer a question, with their pictures."""

from typing import Annotated

import polars as pl
import typer
from rich.markup import escape
from rich.padding import Padding

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Format, Home, fail, home_folder, print_as
from kg_pipeline.embedding import EmbeddingError
from kg_pipeline.retrieval import DEFAULT_WEIGHT, TOP, By, Hit, Library, Picture, RetrievalError
from kg_pipeline.retrieval.telling import body, place

EXCERPT = 240
PICTURES_PRINTED = 3


def search(
    question: Annotated[str, typer.Argument(metavar="TEXT", help="Words or a question.")],
    collection: Annotated[list[str] | None, typer.Option(help="Where to search; repeatable, all by default.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of passages.")] = TOP,
    weight: Annotated[
        float, typer.Option(min=0.0, help="How much pictures count; 0: not at all, plain search.")
    ] = DEFAULT_WEIGHT,
    by: Annotated[By | None, typer.Option(help="Full text, vectors or both; the best there is by default.")] = None,
    home: Home = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Search passages; those with strong visual evidence come first. On NEO4J_URI where set, else in the tables."""
    try:
        with Library(home_folder(home)) as library:
            hits = library.search(question, collection or None, top=top, weight=weight, by=by)
    except (RetrievalError, EmbeddingError) as error:
        raise fail(str(error)) from error
    if format is Format.TABLE:
        _print(hits)
    else:
        print_as(pl.DataFrame([hit.as_dict() for hit in hits], infer_schema_length=None), format)


def _print(hits: list[Hit]) -> None:
    if not hits:
        out.print("nothing found")
    for number, hit in enumerate(hits, start=1):
        heading = f"  {hit.heading}" if hit.heading else ""
        out.print(
            f"[bold]{number}. {escape(place(hit))}[/][dim]{escape(heading)}  {hit.score:.2f}[/]",
            highlight=False,
            soft_wrap=True,
        )
        out.print(Padding(escape(_excerpt(hit)), (0, 0, 0, 3)), highlight=False)
        for picture in hit.pictures[:PICTURES_PRINTED]:
            out.print(Padding(escape(_line(picture)), (0, 0, 0, 3)), style="cyan", highlight=False)
        if len(hit.pictures) > PICTURES_PRINTED:
            out.print(f"     and {len(hit.pictures) - PICTURES_PRINTED} more pictures", style="dim")


def _excerpt(hit: Hit) -> str:
    text = " ".join(body(hit).split())
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT].rstrip()} …"


def _line(picture: Picture) -> str:
    said = ["shown there"] if picture.referenced else []
    if picture.confidence is not None:
        said.append(f"confidence {picture.confidence:.2f}")
    caption = f" “{picture.caption}”" if picture.caption else ""
    return f"▣ {picture.path}{caption} ({', '.join(said)})"
