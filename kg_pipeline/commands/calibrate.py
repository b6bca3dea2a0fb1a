"""`kg-pipeline calibrate`: fit weights and confidence curves on what a collection's documents say themselves."""

from typing import Annotated

import typer
from rich.table import Table

from kg_pipeline.commands.console import out, progress_bars
from kg_pipeline.commands.options import Home, fail, home_folder


def calibrate(
    collection: Annotated[str, typer.Option(help="The collection; it must have run before.")],
    target_precision: Annotated[
        float | None,
        typer.Option(min=0.01, max=0.999, help="Keep pairs from the confidence on at which this share is right."),
    ] = None,
    home: Home = None,
) -> None:
    """Learn from the references of a collection how much each sign weighs and how sure a score makes.

    Each fifth of the pictures is judged by what the other four teach. The next run judges by the new version.
    """
    # scipy and all that reads: other commands and --help need not wait for it.
    from assets.candidates import load_corpus
    from kg_pipeline.evaluation import EvaluationError, keep_version, scorer_of
    from kg_pipeline.evaluation import calibrate as fit_calibration
    from kg_pipeline.reranking import RerankerError
    from resources.collections import Collections
    from resources.reranker import RerankerResource
    from resources.tables import Tables

    tables = Tables(home=str(home_folder(home)))
    configured = Collections(home=str(tables.root)).get(collection)
    try:
        with progress_bars():
            reranker = RerankerResource().get(configured).reranker
            score = scorer_of(configured, reranker, tables.ledger())
            found = fit_calibration(configured, load_corpus(tables, collection), score, target_precision)
    except (EvaluationError, RerankerError) as error:
        raise fail(str(error)) from error
    kept = keep_version(tables.store(), collection, found).calibrators
    shown = Table("judged", "pictures", "first right", "ECE (floor)", "kept from", "right of those", "found")
    for row in found.calibrators.iter_rows(named=True):
        least = configured.kept.min_confidence if row["threshold"] is None else row["threshold"]
        cost = "" if row["threshold"] is None else f", was {row['coverage_before']:.1%}"
        shown.add_row(
            row["text_kind"],
            str(row["pictures"]),
            f"{row['accuracy']:.1%}",
            f"{row['ece']:.3f} ({row['ece_floor']:.3f})",
            f"{least:.3f}",
            "nothing kept" if row["precision"] is None else f"{row['precision']:.1%}",
            f"{row['coverage']:.1%}{cost}",
        )
    out.print(shown)
    out.print(
        f"version {kept['version'].item(-1)} of collection {collection}, all figures on held-out pictures. "
        "The next `kg-pipeline run` judges by it.",
        highlight=False,
    )
