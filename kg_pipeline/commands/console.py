"""What people read on the terminal: progress bars, tables, the summary of a run."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from kg_pipeline.progress import show_progress

if TYPE_CHECKING:  # Dagster takes a second to import, which `tables` and `--help` need not wait for
    from kg_pipeline.doctor import Finding
    from kg_pipeline.graph import Plan, Verification
    from kg_pipeline.orchestration.run import RunSummary

PRINTED_ROWS = 50
MARKS = {"ok": "[green]✓[/]", "note": "[yellow]–[/]", "problem": "[red]✗[/]"}

VERDICT_WORDS = {"not_applicable": "not applicable any more (text or image gone)"}

BEST_PICTURES = """\
MATCH (c:Chunk {{collection: '{name}'}})-[e:HAS_VISUAL_EVIDENCE]->(i:Image)-[m:IN_COLLECTION]->({{id: '{name}'}})
RETURN m.paths[0] AS picture, e.confidence AS confidence, left(c.text, 80) AS passage, e.reason AS reason
ORDER BY confidence DESC LIMIT 10"""

out = Console()
err = Console(stderr=True)


class RichProgress:
    """One bar per piece of work."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def update(self, description: str, done: int, total: int | None) -> None:
        """Move the bar."""
        if description not in self._tasks:
            self._tasks[description] = self._bars.add_task(description, total=total)
        self._bars.update(self._tasks[description], completed=done, total=total)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show the progress of everything inside, on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bars, show_progress(RichProgress(bars)):
        yield


def print_frame(frame: pl.DataFrame) -> None:
    """The first rows of a table."""
    table = Table(*frame.columns, show_lines=False)
    for row in flat(frame.head(PRINTED_ROWS)).iter_rows():
        table.add_row(*(escape("" if value is None else str(value)) for value in row))
    out.print(table)
    if len(frame) > PRINTED_ROWS:
        out.print(f"{PRINTED_ROWS} of {len(frame)} rows; --format csv or json prints all")


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with lists and structs as JSON text, for formats that have no nesting."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(
        pl.struct(pl.col(name).alias("value"))
        .struct.json_encode()
        .str.slice(len('{"value":'))
        .str.strip_suffix("}")
        .alias(name)
        for name in nested
    )


def print_findings(findings: "Iterable[Finding]") -> None:
    """What `doctor` found, a line each."""
    table = Table("", "what", "found", "remedy", show_edge=False)
    for finding in findings:
        table.add_row(MARKS[finding.level], finding.what, escape(finding.found), escape(finding.remedy))
    out.print(table)


def print_plan(plan: "Plan") -> None:
    """How many rows of each label and type a sync would create, change and delete."""
    parts = [graph.counts() for graph in (plan.new, plan.changed, plan.deletes)]
    table = Table("label or type", "create", "change", "delete", show_edge=False)
    for name in parts[0]:
        if any(counts[name] for counts in parts):
            table.add_row(name, *(str(counts[name]) for counts in parts))
    out.print(table if table.row_count else "nothing: the graph is as the tables say")


def print_verification(found: "Verification") -> None:
    """What is missing in the graph, what is too much and what differs, with the first of each label and type."""
    table = Table("label or type", "missing", "extra", "differing", show_edge=False)
    for part in found.parts:
        table.add_row(part.name, str(part.missing), str(part.extra), str(part.differing))
    out.print(table)
    for part in found.parts:
        for example in part.examples:
            out.print(f"{part.name} {example}", highlight=False, markup=False, soft_wrap=True)
    if found.interrupted:
        out.print("A run that began to write has not ended: it is on its way, or was killed.")
    out.print("`kg-pipeline run --full-refresh` writes the graph anew.", highlight=False)


def print_summary(summary: "RunSummary") -> None:
    """What a run read, what it could not read, what it found, and where to look."""
    heading = "[bold green]done[/]" if summary.succeeded else "[bold red]failed[/]"
    out.print(f"\n{heading}: collection [bold]{summary.collection}[/] in {summary.seconds:.1f} s")
    table = Table.grid(padding=(0, 2))
    for what, found in _lines(summary):
        table.add_row(f"[dim]{what}[/]", found)
    out.print(table)
    for failure in summary.failures:
        out.print(f"[bold red]{failure.step}[/]: {escape(failure.message)}", highlight=False)
    if summary.not_judged:
        names = ", ".join(summary.not_judged_sample) + (
            ", …" if summary.not_judged > len(summary.not_judged_sample) else ""
        )
        out.print(
            f"\nPictures that words cannot judge, with nothing to read in them and a name that says nothing: "
            f"{summary.not_judged} ({escape(names)}). A reranker looks at the pixels and would score these.",
            highlight=False,
        )
    if summary.graph:
        out.print("\nThe best pictures, for a Cypher shell or `kg-pipeline graph query`:", style="dim")
        out.print(BEST_PICTURES.format(name=summary.collection), highlight=False, markup=False, soft_wrap=True)


def _lines(summary: "RunSummary") -> Iterator[tuple[str, str]]:
    counts = summary.counts
    if "documents" in counts:
        yield "documents", f"{_read(summary, 'documents')}, {counts.get('chunks', 0)} passages"
        yield "references", _by(summary.statuses.get("references", {}))
    if "images" in counts:
        yield "image files", f"{_read(summary, 'image_files')}, {counts['images']} distinct"
    yield from _asked_of_stores(summary.stores)
    if "concepts" in counts:
        bad = {status: n for status, n in summary.statuses.get("concepts", {}).items() if status not in (None, "ok")}
        yield (
            "concepts",
            f"{counts['concepts']}, {counts.get('concept_mentions', 0)} mentions"
            + (f", [yellow]{_by(bad)}[/]" if bad else ""),
        )
    if "candidate_pairs" in counts:
        yield "candidate pairs", f"{counts['candidate_pairs']}"
    if summary.scoring:
        scoring = summary.scoring
        yield (
            "scored by",
            (f"{scoring['scorer']}: {scoring['model_calls']} model calls, {scoring['ledger_hits']} from the ledger"),
        )
    if summary.edges:
        yield "edges", _by(summary.edges)
    if any(summary.verdicts.values()):
        yield "verdicts", _by({VERDICT_WORDS.get(said, said): count for said, count in summary.verdicts.items()})
    if "orphan_images" in counts:
        yield "orphan images", f"{counts['orphan_images']} ({_by(summary.orphans)})" if summary.orphans else "none"
    if summary.gallery:
        yield "gallery", f"[link={summary.gallery.as_uri()}]{escape(str(summary.gallery))}[/link]"
    if summary.graph:
        graph = summary.graph
        yield (
            "graph",
            f"{escape(graph['address'])}: {graph['nodes']} nodes, {graph['relationships']} relationships, "
            f"{graph['writes']} written now",
        )
        if graph.get("deletes_blocked"):
            yield "", f"[yellow]nothing was deleted: {escape(graph['deletes_blocked'])}[/]"
        if graph.get("foreign_missing"):
            yield "", f"[yellow]{graph['foreign_missing']} relationships left out: the node of theirs is gone[/]"


def _asked_of_stores(asked: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if asked:
        requests = f"{asked['list_requests']:,} list requests, {asked['read_requests']:,} read requests"
        came = f"{asked['fetched']:,} fetched, {asked['unchanged']:,} unchanged"
        yield "stores", f"{came} ({requests}, {asked['bytes']:,} bytes)"


def _read(summary: "RunSummary", table: str) -> str:
    by_status = dict(summary.statuses.get(table, {}))
    well = by_status.pop("ok", 0)
    return f"{well} read" + (f", [yellow]{_by(by_status)}[/]" if by_status else "")


def _by(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
