"""The command `kg-pipeline score`: files and texts in, scores out; no HOME, no configuration, no graph."""

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape

from kg_pipeline.commands.console import err, out
from kg_pipeline.commands.options import RerankerUrl, changed_scoring
from kg_pipeline.config import Scoring


class RerankerName(StrEnum):
    """Rerankers by name."""

    AUTO = "auto"
    NONE = "none"
    QWEN_VL = "qwen-vl"
    REMOTE = "remote"


class Dtype(StrEnum):
    """Precisions of a reranker."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


class DirectionName(StrEnum):
    """What is the query."""

    IMAGE_TO_TEXT = "image-to-text"
    TEXT_TO_IMAGE = "text-to-image"


def score(
    image: Annotated[list[str], typer.Option(metavar="FILE", help="An image; repeatable.")],
    text: Annotated[list[str], typer.Option(help="A text; repeatable.")],
    checkpoint: Annotated[str | None, typer.Option(help="Folder or owner/model@commit of the weights.")] = None,
    reranker: Annotated[RerankerName, typer.Option(help="Who scores.")] = RerankerName.QWEN_VL,
    dtype: Annotated[Dtype, typer.Option(help="Precision.")] = Dtype.BFLOAT16,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    token_budget: Annotated[
        int | None, typer.Option(min=128, help="Tokens of one forward; by the device's memory when not given.")
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="What to look for; the model card's when not given.")] = None,
    direction: Annotated[DirectionName, typer.Option(help="What is the query.")] = DirectionName.IMAGE_TO_TEXT,
    reranker_url: RerankerUrl = None,
    explain: Annotated[bool, typer.Option("--explain", help="Let the model write a reason for each pair.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score every image with every text."""
    from kg_pipeline.reranking import RerankerError, add_reasons, choose_reranker, parsed_share, score_files

    given = {
        "reranker": reranker.value,
        "checkpoint": checkpoint,
        "dtype": dtype.value,
        "device": device,
        "token_budget": token_budget,
        "instruction": instruction,
        "direction": direction.value,
    }
    scoring = changed_scoring(Scoring(), given, reranker_url)
    try:
        choice = choose_reranker(scoring)
        if choice.reranker is None:
            raise RerankerError(f"{choice.reason}; it needs a knowledge base around a pair. Use --reranker qwen-vl")
        rows = score_files(choice.reranker, image, text)
        reasons = add_reasons(rows, choice.reranker.explain) if explain else []
    except RerankerError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if as_json:
        found: dict[str, Any] = {"results": rows, "scorer": choice.reranker.fingerprint}
        if explain:
            found["reasons_parsed"] = parsed_share(reasons)
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    else:
        _print(rows)
        if explain:
            out.print(f"{parsed_share(reasons):.0%} of the reasons have the form that was asked for")
    if all(row["log_odds"] is None for row in rows):
        raise typer.Exit(1)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("score", "rank", "margin", "image", "text", show_edge=False)
    for row in rows:
        if row["log_odds"] is None:
            numbers = ["–", "–", "–"]
        else:
            margin = "" if row["margin"] is None else f"{row['margin']:+.2f}"
            numbers = [f"{row['score']:.2f}", str(row["rank"]), margin]
        said = row.get("error") or row.get("reason") or ""
        table.add_row(*numbers, escape(row["image"]), escape(row["text"] + (f"\n{said}" if said else "")))
    out.print(table)
