"""What `kg-pipeline evaluate` does with its options: read, measure, keep, show."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.commands.console import out, progress_bars
from kg_pipeline.commands.evaluation_tables import print_evaluation, print_labels
from kg_pipeline.commands.options import fail
from kg_pipeline.config import Collection, Limits
from kg_pipeline.descriptions import DescriptionError
from kg_pipeline.evaluation import (
    FACETS,
    NO_OCR,
    PROTOCOLS,
    STRESSES,
    Evaluation,
    EvaluationError,
    History,
    Protocol,
    Score,
    average_table,
    evaluate,
    measure_labels,
    read_corpus,
    read_labels,
    score_labels,
    scorer_of,
)
from kg_pipeline.images import thumbnail
from kg_pipeline.reports import ReportError, write_evaluation
from kg_pipeline.reranking import RerankerError
from kg_pipeline.storage import ScoreLedger, TableStore
from resources.graph import Graph
from resources.reranker import RerankerResource

THUMBNAIL_SIDE = 160


@dataclass(frozen=True)
class Wanted:
    """What to measure."""

    protocols: tuple[Protocol, ...]
    stresses: tuple[frozenset[str], ...]
    facets: tuple[str, ...]

    @classmethod
    def parse(cls, protocol: str, stresses: list[str], scenario: str, *, without_ocr: bool) -> "Wanted":
        """From comma-separated words. Fails for a word that is not known, naming those that are."""
        always = frozenset({NO_OCR} if without_ocr else ())
        kinds = [_words("--stress", "" if words == "none" else words, STRESSES) for words in stresses]
        return cls(
            protocols=cast(tuple[Protocol, ...], _words("--protocol", protocol, PROTOCOLS) or PROTOCOLS),
            stresses=tuple(dict.fromkeys(frozenset(words) | always for words in kinds)),
            facets=_words("--scenario", scenario, tuple(FACETS)),
        )


def run_evaluation(root: Path, collections: list[Collection], wanted: Wanted, *, as_json: bool) -> None:
    """Measure on hidden references; print, keep and draw what was found."""
    rerankers = RerankerResource()
    with _errors(), progress_bars():
        evaluations = [
            evaluate(
                one,
                _read(root, one),
                wanted.protocols,
                wanted.stresses,
                wanted.facets,
                _scorer(root, one, rerankers),
            )
            for one in collections
        ]
    with _errors():
        compared = {one.collection: _keep(root, one.collection, one.table) for one in evaluations}
        average = average_table(evaluations) if len(evaluations) > 1 else None
        page = _draw(root, evaluations, compared, average, collections[0].limits)
    if as_json:
        _print_json(compared, average, page)
    else:
        print_evaluation(compared, average)
        out.print(f"plots and misses: {page}", highlight=False, soft_wrap=True)


def run_labels(root: Path, collections: list[Collection], file: Path, *, as_json: bool) -> None:
    """Measure on labelled queries, the text being the query as in the article; print and keep what was found."""
    if len(collections) != 1:
        raise fail("--labels goes with one collection; name it with --collection", 2)
    scoring = collections[0].scoring.model_copy(update={"direction": "text-to-image"})
    collection = collections[0].model_copy(update={"scoring": scoring})
    with _errors(), progress_bars():
        corpus = _read(root, collection)
        labels = read_labels(file, corpus.image_files)
        scored = score_labels(corpus, labels, _scorer(root, collection, RerankerResource()))
    with _errors():
        compared = _keep(root, collection.name, measure_labels(scored, labels))
    if as_json:
        _print_json({collection.name: compared}, None, None)
    else:
        print_labels(compared, labels["image_id"].n_unique())


@contextmanager
def _errors() -> Iterator[None]:
    """One line instead of a traceback."""
    try:
        yield
    except (EvaluationError, DescriptionError, RerankerError, ReportError) as error:
        raise fail(str(error)) from error


def _read(root: Path, collection: Collection) -> Corpus:
    with Graph(home=str(root)).read_nodes() as read_nodes:
        return read_corpus(collection, root, read_nodes)


def _scorer(root: Path, collection: Collection, rerankers: RerankerResource) -> Score:
    return scorer_of(collection, rerankers.get(collection).reranker, ScoreLedger(root))


def _keep(root: Path, collection: str, table: pl.DataFrame) -> pl.DataFrame:
    """Write the table, and return it compared with the evaluation of before."""
    return History(root, collection).add(TableStore(root).write("evaluation", collection, table))


def _draw(
    root: Path,
    evaluations: list[Evaluation],
    compared: dict[str, pl.DataFrame],
    average: pl.DataFrame | None,
    limits: Limits,
) -> Path:
    """The page of the one collection, or of all of them together."""
    folder = root / "reports" / evaluations[0].collection if average is None else root / "reports"
    return write_evaluation(
        folder / "evaluation.html", evaluations, compared, average, lambda uri: thumbnail(uri, limits, THUMBNAIL_SIDE)
    )


def _words(option: str, given: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The comma-separated words of an option, in the order of `allowed`."""
    words = {word.strip() for word in given.split(",") if word.strip()}
    if unknown := sorted(words - set(allowed)):
        raise fail(f"{option} {', '.join(unknown)}: expected one or more of {', '.join(allowed)}", 2)
    return tuple(word for word in allowed if word in words)


def _print_json(compared: dict[str, pl.DataFrame], average: pl.DataFrame | None, page: Path | None) -> None:
    found = {
        "collections": {name: table.to_dicts() for name, table in compared.items()},
        "average": average.to_dicts() if average is not None else None,
        "page": str(page) if page else None,
    }
    sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
