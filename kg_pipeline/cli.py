"""The command line `kg-pipeline`: every command by name. What a command does is in `kg_pipeline.commands`."""

import typer

from kg_pipeline.commands import graph, review
from kg_pipeline.commands.calibrate import calibrate
from kg_pipeline.commands.cards import cards
from kg_pipeline.commands.dev import dev
from kg_pipeline.commands.doctor import doctor
from kg_pipeline.commands.evaluate import evaluate
from kg_pipeline.commands.mcp import mcp
from kg_pipeline.commands.options import fail
from kg_pipeline.commands.reports import reports
from kg_pipeline.commands.run import demo, run
from kg_pipeline.commands.score import score
from kg_pipeline.commands.search import search
from kg_pipeline.commands.serve import serve
from kg_pipeline.commands.tables import ocr_import, tables
from kg_pipeline.commands.upgrade import upgrade
from kg_pipeline.commands.watch import watch
from kg_pipeline.config import ConfigError
from kg_pipeline.graph import GraphError
from kg_pipeline.storage import StorageError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Pictures for a knowledge graph."
)
commands = (
    demo, run, search, cards, mcp, serve, watch, tables, score, evaluate, calibrate, dev, reports, doctor, upgrade,
)  # fmt: skip
for command in commands:
    app.command()(command)
app.add_typer(graph.app, name="graph")
app.add_typer(review.app, name="review")

ocr = typer.Typer(no_args_is_help=True, help="Text that was read in images.")
ocr.command("import")(ocr_import)
app.add_typer(ocr, name="ocr")


def main() -> None:
    """Entry point; errors of configuration and storage are one line, not a traceback."""
    try:
        app()
    except (ConfigError, StorageError, GraphError) as error:
        raise SystemExit(fail(str(error)).exit_code) from error
