"""`kg-pipeline cards`: illustrated summary cards of concepts and documents."""

from pathlib import Path
from typing import Annotated

import typer

from kg_pipeline.commands.console import out, progress_bars
from kg_pipeline.commands.options import Home, fail, home_folder
from kg_pipeline.images import thumbnail
from kg_pipeline.reports import ReportError
from kg_pipeline.retrieval import Library, RetrievalError

PICTURE_SIDE = 640


def cards(
    concept: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A concept or alias; repeatable.")] = None,
    document: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="A document, every section with its picture; repeatable.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every concept and document, as a site with an index.")] = False,
    collection: Annotated[str | None, typer.Option(help="The collection; may be left out when there is one.")] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Pictures of a concept (6), or of a section (3).", show_default=False)
    ] = None,
    sentences: Annotated[int, typer.Option(min=0, help="Sentences of a summary.")] = 5,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to; HOME/reports/COLLECTION/cards by default.")
    ] = None,
    home: Home = None,
) -> None:
    """Write cards: a title, what the documents say of it with their lines, and its pictures; HTML and Markdown."""
    from kg_pipeline.retrieval.cards import (
        CONCEPT_PICTURES,
        SECTION_PICTURES,
        Cards,
        write_concept,
        write_document,
        write_site,
    )

    if not (concept or document or every):
        raise fail("say of what: --concept NAME, --document PATH, or --all", 2)
    root = home_folder(home)
    # Cards are made of the tables, wherever the graph is.
    library = Library(root, tables_only=True)
    try:
        name = library.only(collection)
        made = Cards(library.answers(name), sentences)
        folder = output.expanduser().absolute() if output else root / "reports" / name / "cards"
        limits = library.limits(name)

        def small(uri: str) -> str | None:
            return thumbnail(uri, limits, PICTURE_SIDE)

        written = [write_concept(made.concept(each, top or CONCEPT_PICTURES), folder, small) for each in concept or ()]
        written += [
            write_document(made.document(each, top or SECTION_PICTURES), folder, small) for each in document or ()
        ]
        if every:
            with progress_bars():
                index = write_site(made, folder, small, top or CONCEPT_PICTURES, top or SECTION_PICTURES)
            out.print(str(index), highlight=False, soft_wrap=True)
    except (RetrievalError, ReportError) as error:
        raise fail(str(error)) from error
    for pages in written:
        out.print(f"{pages.html}\n{pages.markdown}", highlight=False, soft_wrap=True)
