"""`kg-pipeline doctor`: look at everything a run needs."""

from pathlib import Path
from typing import Annotated

import typer

from kg_pipeline.commands.console import print_findings
from kg_pipeline.commands.options import Home, home_folder
from kg_pipeline.config import Settings


def doctor(
    home: Home = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Folder of the reranker's weights.")] = None,
) -> None:
    """Look at everything a run needs: Python, libraries, GPU, checkpoint, graph server, disk; with remedies."""
    from kg_pipeline.doctor import examine

    findings = examine(Settings(), home_folder(home), checkpoint)
    print_findings(findings)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
