"""`kg-pipeline doctor`: look at everything a run needs."""

from pathlib import Path
from typing import Annotated

import typer

from kg_pipeline.commands.console import print_findings
from kg_pipeline.commands.options import Home, fail, home_folder
from kg_pipeline.config import ConfigError, Settings, load_collections


def doctor(
    home: Home = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Folder of the reranker's weights.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A collections.yaml: what will reading its pictures cost?")
    ] = None,
    collection: Annotated[str | None, typer.Option(help="Only this collection of it.")] = None,
) -> None:
    """Look at everything a run needs: Python, libraries, GPU, checkpoint, graph server, disk; with remedies."""
    from kg_pipeline.doctor import examine

    settings = Settings()
    try:
        known = load_collections(path) if (path := config or settings.config) else {}
    except ConfigError as error:
        raise fail(str(error)) from error
    if collection is not None and collection not in known:
        raise fail(f"no collection {collection!r} in {path or 'any --config'}; there is: {', '.join(known) or 'none'}")
    wanted = [known[collection]] if collection is not None else list(known.values())
    findings = examine(settings, home_folder(home), checkpoint, wanted)
    print_findings(findings)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
