"""`kg-pipeline evaluate`: hide references, run the pipeline, say how well they are found again."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from kg_pipeline.commands.console import out, progress_bars
from kg_pipeline.commands.evaluation_tables import print_evaluation
from kg_pipeline.commands.options import Home, fail, home_folder
from kg_pipeline.commands.run import described_collection
from kg_pipeline.commands.score import RerankerName
from kg_pipeline.config import Collection, ConfigError, Limits
from kg_pipeline.evaluation import (
    FACETS,
    PROTOCOLS,
    STRESSES,
    Evaluation,
    EvaluationError,
    History,
    Protocol,
    Score,
    average_table,
    read_corpus,
)
from kg_pipeline.evaluation import evaluate as evaluate_collection
from kg_pipeline.storage import TableStore

NO_OCR = "no-ocr"
THUMBNAIL_SIDE = 160


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
    protocol: Annotated[str, typer.Option(help=f"What is hidden: {', '.join(PROTOCOLS)}.")] = ",".join(PROTOCOLS),
    stress: Annotated[
        list[str] | None,
        typer.Option(help=f"What is taken away, together: {', '.join(STRESSES)}, or none; repeatable."),
    ] = None,
    scenario: Annotated[str, typer.Option(help=f"Also measure apart by: {', '.join(FACETS)}.")] = "",
    no_ocr: Annotated[bool, typer.Option("--no-ocr", help="Do not read the text in images.")] = False,
    reranker: Annotated[RerankerName | None, typer.Option(help="Who scores the pairs.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Folder or owner/model@commit of its weights.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N, for the reranker.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    home: Home = None,
) -> None:
    """Hide what documents say of their images, run the pipeline, and measure how well it is found again.

    Tables and graph of the collection stay as they are: only the table `evaluation`, caches and the folder
    HOME/evaluation are written.
    """
    root = home_folder(home)
    given = {
        "reranker": reranker and reranker.value,
        "checkpoint": checkpoint,
        "device": device,
        "ocr": False if no_ocr else None,
    }
    scoring = {name: value for name, value in given.items() if value is not None}
    protocols: tuple[Any, ...] = _chosen("--protocol", protocol, PROTOCOLS)
    stresses = [
        frozenset(_chosen("--stress", "" if kinds == "none" else kinds, STRESSES)) | ({NO_OCR} if no_ocr else set())
        for kinds in stress or ["none"]
    ]
    facets = _chosen("--scenario", scenario, tuple(FACETS))
    collections = [
        one.model_copy(update={"scoring": one.scoring.model_copy(update=scoring)})
        for one in _collections(root, documents, images or [], site_root or [], config, collection or [])
    ]
    with progress_bars():
        evaluations = [_evaluate(root, one, protocols, stresses, facets) for one in collections]
    compared = {one.collection: _keep(root, one) for one in evaluations}
    average = average_table(evaluations) if len(evaluations) > 1 else None
    page = _write_page(root, evaluations, compared, average, collections[0].limits)
    if as_json:
        _print_json(compared, average, page)
    else:
        print_evaluation(compared, average)
        out.print(f"plots and misses: {page}", highlight=False, soft_wrap=True)


def _evaluate(
    root: Path,
    collection: Collection,
    protocols: tuple[Protocol, ...],
    stresses: list[frozenset[str]],
    facets: tuple[str, ...],
) -> Evaluation:
    from kg_pipeline.reranking import RerankerError

    try:
        return evaluate_collection(
            collection, read_corpus(collection, root), protocols, stresses, facets, _scorer(root, collection)
        )
    except (EvaluationError, RerankerError) as error:
        raise fail(str(error)) from error


def _scorer(root: Path, collection: Collection) -> Score:
    """The collection's reranker with the ledger of HOME, or the evidence model."""
    from kg_pipeline.evidence import score_pairs
    from kg_pipeline.reranking import choose_reranker, score_corpus_pairs
    from kg_pipeline.storage import ScoreLedger

    model, scoring = choose_reranker(collection.scoring, collection.limits).reranker, collection.scoring
    if model is None:
        return lambda corpus, pairs: score_pairs(pairs)
    ledger = ScoreLedger(root)
    return lambda corpus, pairs: score_corpus_pairs(
        model, ledger, corpus, pairs, collection.limits, scoring.max_new_pairs
    )[0]


def _keep(root: Path, evaluation: Evaluation) -> pl.DataFrame:
    """Write the table, and return it compared with the evaluation of before."""
    try:
        table = TableStore(root).write("evaluation", evaluation.collection, evaluation.table)
        return History(root, evaluation.collection).add(table)
    except EvaluationError as error:
        raise fail(str(error)) from error


def _write_page(
    root: Path,
    evaluations: list[Evaluation],
    compared: dict[str, pl.DataFrame],
    average: pl.DataFrame | None,
    limits: Limits,
) -> Path:
    """The page of the one collection, or of all of them together."""
    from kg_pipeline.images import thumbnail
    from kg_pipeline.reports import ReportError, write_evaluation

    folder = root / "reports" / evaluations[0].collection if average is None else root / "reports"
    try:
        return write_evaluation(
            folder / "evaluation.html",
            evaluations,
            compared,
            average,
            lambda uri: thumbnail(uri, limits, THUMBNAIL_SIDE),
        )
    except ReportError as error:
        raise fail(str(error)) from error


def _collections(
    root: Path,
    documents: Path | None,
    images: list[Path],
    site_roots: list[str],
    config: Path | None,
    names: list[str],
) -> list[Collection]:
    if documents:
        if config or len(names) > 1:
            raise fail("give either --documents or --config; --collection then names one collection", 2)
        return [described_collection(documents, images, names[0] if names else None, site_roots)]
    if images or site_roots:
        raise fail("--images and --site-root go with --documents; in a configuration they stand in the file", 2)
    from resources.collections import Collections

    resource = Collections(home=str(root), config=str(config.absolute()) if config else None)
    try:
        found = [resource.get(name) for name in names or sorted(resource.all())]
    except ConfigError as error:
        raise fail(str(error), 2) from error
    if not found:
        raise fail(f"no collection: give --documents DIR or --config FILE, or write {root / 'collections.yaml'}", 2)
    return found


def _chosen(option: str, given: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The comma-separated words of an option, in the order of `allowed`."""
    words = {word.strip() for word in given.split(",") if word.strip()}
    if unknown := sorted(words - set(allowed)):
        raise fail(f"{option} {', '.join(unknown)}: expected one or more of {', '.join(allowed)}", 2)
    return tuple(word for word in allowed if word in words)


def _print_json(compared: dict[str, pl.DataFrame], average: pl.DataFrame | None, page: Path) -> None:
    found = {
        "collections": {name: table.to_dicts() for name, table in compared.items()},
        "average": average.to_dicts() if average is not None else None,
        "page": str(page),
    }
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
