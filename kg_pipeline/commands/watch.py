"""`kg-pipeline watch`: a folder for queries and pictures, unattended."""

import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Home, RerankerUrl, changed_scoring, fail, home_folder
from kg_pipeline.commands.score import Dtype, RerankerName
from kg_pipeline.config import Scoring

JOB_SECONDS = 6 * 3600.0


def watch(
    watch_dir: Annotated[Path, typer.Option(help="Folder for jobs: NAME.txt with a query, NAME.zip with pictures.")],
    output_dir: Annotated[Path, typer.Option(help="Folder for results: TIME_NAME_result.json.")],
    home: Home = None,
    reranker: Annotated[RerankerName, typer.Option(help="Who scores.")] = RerankerName.AUTO,
    checkpoint: Annotated[str | None, typer.Option(help="Folder or owner/model@commit of the weights.")] = None,
    dtype: Annotated[Dtype, typer.Option(help="Precision of the reranker.")] = Dtype.BFLOAT16,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    token_budget: Annotated[int | None, typer.Option(min=128, help="Tokens of one forward of the reranker.")] = None,
    instruction: Annotated[str | None, typer.Option(help="What to look for; the model card's when not given.")] = None,
    reranker_url: RerankerUrl = None,
    explain: Annotated[bool, typer.Option("--explain", help="Let the model write the reasons.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Do what is there now, then end; 1 if a job failed.")] = False,
    poll: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 2.0,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds after which files that are not whole and do not change have failed.")
    ] = 300.0,
) -> None:
    """Score jobs that are put into a folder, until Ctrl-C or SIGTERM; docs/watched-folder.md describes it."""
    from kg_pipeline.reranking import RerankerError
    from kg_pipeline.serving import Picture, RequestLimits, RerankAnswer, RerankService
    from kg_pipeline.serving.scoring import choose_scorer
    from kg_pipeline.serving.watched_folder import WatchError
    from kg_pipeline.serving.watched_input import WATCH_LIMITS
    from kg_pipeline.serving.watching import Watcher
    from kg_pipeline.serving.words import WordScorer

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s: %(message)s")
    logging.getLogger("kg_pipeline.serving.watching").setLevel(logging.INFO)
    if not watch_dir.is_dir():
        raise fail(f"--watch-dir {watch_dir}: no such folder", 2)
    given = {
        "reranker": reranker.value,
        "checkpoint": checkpoint,
        "dtype": dtype.value,
        "device": device,
        "token_budget": token_budget,
        "instruction": instruction,
    }
    scoring = changed_scoring(Scoring(), given, reranker_url)
    limits = RequestLimits(pictures=WATCH_LIMITS.archive_members, seconds=JOB_SECONDS)
    try:
        words = WordScorer(home_folder(home) / "cache" / "ocr", WATCH_LIMITS)
        service = RerankService(choose_scorer(scoring, WATCH_LIMITS, words), limits)
        service.load()
    except RerankerError as error:
        raise fail(str(error), 2) from error
    out.print(f"scorer: {service.chosen.reason}\nwatching {watch_dir}", highlight=False, soft_wrap=True)

    def answer(query: str, pictures: Sequence[Picture]) -> RerankAnswer:
        return service.rerank(query, pictures, explain=explain)

    watcher = Watcher(watch_dir.absolute(), output_dir.absolute(), answer, poll_seconds=poll, patience_seconds=patience)
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        if not once:
            watcher.run(stopped)
            return
        outcome = watcher.run_once()
    except WatchError as error:
        raise fail(str(error), 2) from error
    except OSError as error:
        raise fail(f"{error.filename or watch_dir}: {error.strerror or error}; jobs are moved, so the folder must be "
                   "writable") from error  # fmt: skip
    finally:
        service.close()
    out.print(f"{outcome.done} done, {outcome.failed} failed, {outcome.waiting} waiting")
    if outcome.failed or outcome.waiting:
        raise typer.Exit(1)
