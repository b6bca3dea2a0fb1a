"""`kg-pipeline evaluate`: hide references, run the pipeline, say how well they are found again."""

from pathlib import Path
from typing import Annotated

import typer

from kg_pipeline.commands.options import Home, RerankerUrl, changed_scoring, fail, home_folder
from kg_pipeline.commands.run import described_collection
from kg_pipeline.commands.score import RerankerName
from kg_pipeline.config import Collection, ConfigError


def evaluate(
    documents: Annotated[Path | None, typer.Option(help="Folder of documents.")] = None,
    images: Annotated[list[Path] | None, typer.Option(help="Folder or archive of images; repeatable.")] = None,
    site_root: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX=DIR", help="Folder that a site-absolute prefix stands for; repeatable."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A collections.yaml.")] = None,
    collection: Annotated[
        list[str] | None, typer.Option(help="Collections of the configuration, all by default; repeatable.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="What is hidden: cold, folds.")] = "cold,folds",
    stress: Annotated[
        list[str] | None,
        typer.Option(help="Taken away together: hashed-names, flat-folders, no-ocr; or none. Repeatable."),
    ] = None,
    scenario: Annotated[str, typer.Option(help="Also measured apart by: language, format, image_kind.")] = "",
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV (query,image,scenario) of your own questions, measured instead of hidden references."),
    ] = None,
    no_ocr: Annotated[bool, typer.Option("--no-ocr", help="Do not read the text in images.")] = False,
    reranker: Annotated[RerankerName | None, typer.Option(help="Who scores the pairs.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Folder or owner/model@commit of its weights.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N, for the reranker.")] = None,
    reranker_url: RerankerUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    home: Home = None,
) -> None:
    """Hide what documents say of their images, run the pipeline, and measure how well it is found again.

    Tables and graph of the collection stay as they are: only the table `evaluation`, caches, the folder
    HOME/evaluation and a page under HOME/reports are written.
    """
    # What measures imports scipy and all that reads: other commands and --help need not wait for it.
    from kg_pipeline.commands.evaluation_run import Wanted, run_evaluation, run_labels

    root = home_folder(home)
    given = {
        "reranker": reranker and reranker.value,
        "checkpoint": checkpoint,
        "device": device,
        "ocr": False if no_ocr else None,
    }
    wanted = Wanted.parse(protocol, stress or ["none"], scenario, without_ocr=no_ocr)
    collections = [
        one.model_copy(update={"scoring": changed_scoring(one.scoring, given, reranker_url)})
        for one in _collections(root, documents, images or [], site_root or [], config, collection or [])
    ]
    if labels:
        run_labels(root, collections, labels, as_json=as_json)
    else:
        run_evaluation(root, collections, wanted, as_json=as_json)


def _collections(
    root: Path,
    documents: Path | None,
    images: list[Path],
    site_roots: list[str],
    config: Path | None,
    names: list[str],
) -> list[Collection]:
    """The collections that the options name; nothing is registered."""
    from resources.collections import Collections

    if documents:
        if config or len(names) > 1:
            raise fail("give either --documents or --config; --collection then names one collection", 2)
        return [described_collection(documents, images, names[0] if names else None, site_roots)]
    if images or site_roots:
        raise fail("--images and --site-root go with --documents; in a configuration they stand in the file", 2)
    resource = Collections(home=str(root), config=str(config.absolute()) if config else None)
    try:
        configured = resource.all() if not names else {name: resource.get(name) for name in names}
    except ConfigError as error:
        raise fail(str(error), 2) from error
    if not configured:
        raise fail(f"no collection: give --documents DIR or --config FILE, or write {root / 'collections.yaml'}", 2)
    return [configured[name] for name in sorted(configured)]
