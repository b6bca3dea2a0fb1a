"""`kg-pipeline demo` and `run`: collections from files to graph and orphan report."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from kg_pipeline.commands.console import out, print_summary, progress_bars
from kg_pipeline.commands.options import Home, RerankerUrl, changed_scoring, fail, home_folder
from kg_pipeline.commands.score import Dtype, RerankerName
from kg_pipeline.config import Collection, ConfigError, Settings, load_collections
from kg_pipeline.graph import connect

EXAMPLES = (Path(__file__).parents[1] / "examples", Path(__file__).parents[2] / "examples")


@dataclass(frozen=True)
class ThisRun:
    """What the options of `run` say beyond the configuration."""

    scoring: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a collection's scoring section, None where it stays; a collection is registered with them."""
    reranker_url: str | None = None
    hide_references: Path | None = None
    with_graph: bool = True
    allow_scorer_change: bool = False
    allow_mass_delete: bool = False
    full_refresh: bool = False

    def applied_to(self, collection: Collection) -> Collection:
        """The collection with what holds for this run only."""
        scoring = collection.scoring
        return collection.model_copy(
            update={
                "hide_references": self.hide_references or collection.hide_references,
                "scoring": scoring.model_copy(
                    update={"allow_scorer_change": self.allow_scorer_change or scoring.allow_scorer_change}
                ),
            }
        )


def demo(home: Home = None) -> None:
    """Run the whole pipeline on the example knowledge base and say where to look."""
    config = next((folder / "collections.yaml" for folder in EXAMPLES if folder.exists()), None)
    if config is None:
        raise fail(f"the examples are in neither {EXAMPLES[0]} nor {EXAMPLES[1]}; run this from a checkout")
    out.print("The example: a server room and an assembly line, in Chinese and English.\n")
    _run_collections(home_folder(home), config, None, ThisRun())


def run(
    documents: Annotated[Path | None, typer.Option(help="Folder of documents.")] = None,
    images: Annotated[list[Path] | None, typer.Option(help="Folder or archive of images; repeatable.")] = None,
    collection: Annotated[str | None, typer.Option(help="Name; the documents folder's by default.")] = None,
    site_root: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX=DIR", help="Folder that a site-absolute prefix stands for; repeatable."),
    ] = None,
    reranker: Annotated[RerankerName | None, typer.Option(help="Who scores the pairs.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Folder or owner/model@commit of its weights.")] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="Precision of the reranker; bfloat16 by default.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N, for the reranker.")] = None,
    token_budget: Annotated[int | None, typer.Option(min=128, help="Tokens of one forward of the reranker.")] = None,
    reranker_url: RerankerUrl = None,
    explain_edges: Annotated[
        int | None, typer.Option(min=0, help="Edges whose reason the reranker writes, the least certain first.")
    ] = None,
    allow_scorer_change: Annotated[
        bool, typer.Option("--allow-scorer-change", help="Let `auto` score anew with another scorer than last time.")
    ] = False,
    hide_references: Annotated[
        Path | None, typer.Option(help="CSV (document,image) of references to leave out; implies --no-graph.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A collections.yaml.")] = None,
    no_graph: Annotated[bool, typer.Option("--no-graph", help="Tables and gallery only.")] = False,
    no_ocr: Annotated[bool, typer.Option("--no-ocr", help="Do not read the text in images.")] = False,
    allow_mass_delete: Annotated[
        bool,
        typer.Option("--allow-mass-delete", help="Let this run delete more than half of the graph."),
    ] = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Read the graph back and write every row of it again.")
    ] = False,
    home: Home = None,
) -> None:
    """Run one collection, or all of a configuration, from files to graph and orphan report."""
    root = home_folder(home)
    given = {
        "reranker": reranker and reranker.value,
        "checkpoint": checkpoint,
        "dtype": dtype and dtype.value,
        "device": device,
        "token_budget": token_budget,
        "explain_edges": explain_edges,
        "ocr": False if no_ocr else None,
    }
    this_run = ThisRun(
        scoring=given,
        reranker_url=reranker_url,
        hide_references=hide_references.absolute() if hide_references else None,
        with_graph=not (no_graph or hide_references),
        allow_scorer_change=allow_scorer_change,
        allow_mass_delete=allow_mass_delete,
        full_refresh=full_refresh,
    )
    if documents:
        if config:
            raise fail("give either --documents or --config, not both", 2)
        described = described_collection(documents, images or [], collection, site_root or [])
        config, collection = _register(root, described), described.name
    elif images or site_root:
        raise fail("--images and --site-root go with --documents; in a configuration they stand in the file", 2)
    _run_collections(root, config, collection, this_run)


def described_collection(documents: Path, images: list[Path], name: str | None, site_roots: list[str]) -> Collection:
    """The collection that the options --documents, --images, --collection and --site-root describe."""
    pairs = [item.partition("=") for item in site_roots]
    if bad := [item for item, pair in zip(site_roots, pairs, strict=True) if not pair[1]]:
        raise fail(f"--site-root {bad[0]!r}: expected PREFIX=DIR, for example /docs/=.", 2)
    section = {
        "name": name or re.sub(r"[^A-Za-z0-9_-]+", "-", documents.absolute().name).strip("-") or "documents",
        "documents": [{"root": documents, "site_roots": {prefix: folder for prefix, _, folder in pairs}}],
        "images": [{"folder" if not path.is_file() else "archive": path} for path in images],
    }
    try:
        return Collection.model_validate(section)
    except ValidationError as error:
        problems = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
        raise fail(f"these options do not make a collection: {problems}", 2) from error


def _register(root: Path, collection: Collection) -> Path:
    """Write the collection under HOME/collections, for the UI and later commands."""
    from resources.collections import Collections

    return Collections(home=str(root)).register(collection)


def _run_collections(root: Path, config: Path | None, only: str | None, this_run: ThisRun) -> None:
    """Run the named collection, or every one of the configuration, and print what each run found."""
    from kg_pipeline.definitions import build_defs
    from kg_pipeline.orchestration.run import run_collection
    from resources.collections import Collections
    from resources.graph import Graph
    from resources.tables import Tables

    places = {"home": str(root), "config": str(config.absolute()) if config else None}
    resource = Collections(**places)
    try:
        configured = resource.all()
        names = [resource.get(only).name] if only else sorted(load_collections(config) if config else configured)
    except ConfigError as error:
        raise fail(str(error), 2) from error
    if not names:
        raise fail(f"no collection: give --documents DIR or --config FILE, or write {root / 'collections.yaml'}", 2)
    succeeded = True
    with _embedded_graph(root) if this_run.with_graph else nullcontext():
        for name in names:
            scoring = changed_scoring(configured[name].scoring, this_run.scoring, this_run.reranker_url)
            collection = configured[name].model_copy(update={"scoring": scoring})
            if config:
                resource.register(collection)
            collection = this_run.applied_to(collection)
            definitions = build_defs(
                resource_overrides={
                    "tables": Tables(home=str(root)),
                    "collections": Collections(**places, override=collection.model_dump_json()),
                    "graph": Graph(home=str(root), enabled=this_run.with_graph),
                }
            )
            with progress_bars():
                summary = run_collection(
                    definitions,
                    root,
                    collection,
                    set(configured),
                    with_graph=this_run.with_graph,
                    allow_mass_delete=this_run.allow_mass_delete,
                    full_refresh=this_run.full_refresh,
                )
            print_summary(summary)
            if summary.was_interrupted:
                raise typer.Exit(130)
            succeeded = succeeded and summary.succeeded
    if not succeeded:
        raise typer.Exit(1)


@contextmanager
def _embedded_graph(root: Path) -> Iterator[None]:
    """Keep the embedded server up for the whole command: it ends with its last user, and a start takes seconds."""
    if Settings().neo4j_uri:
        yield
        return
    with connect(Settings(), root):
        yield
