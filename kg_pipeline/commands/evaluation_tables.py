"""An evaluation on the terminal: a table per stress, protocols and collections side by side, then the scenarios."""

from collections.abc import Iterator, Mapping

import polars as pl
from rich.markup import escape
from rich.table import Table

from kg_pipeline.commands.console import out
from kg_pipeline.evaluation import is_lexical
from kg_pipeline.evaluation.headline import HEADLINES, SCENARIO_HEADLINES, Headline, part
from kg_pipeline.evaluation.scenarios import ALL

Tables = Mapping[str, pl.DataFrame]


def print_evaluation(compared: Tables, average: pl.DataFrame | None) -> None:
    """The evaluations of all collections, compared with those of before, and their average if there are several."""
    first = next(iter(compared.values()))
    settings = first.select("stress", "protocol").unique(maintain_order=True).sort("stress", "protocol")
    for stress in sorted(settings["stress"].unique(), key=lambda name: (name != "none", name)):
        protocols = settings.filter(stress=stress)["protocol"].to_list()
        _print_stress(compared, average, stress, protocols)
        _print_scenarios(compared, stress, protocols)
    scorers = sorted({scorer for table in compared.values() for scorer in part(table)["scorer"]})
    out.print(f"[dim]scored by {escape(', '.join(scorers))}; what each measure means: docs/evaluation.md[/]")
    _print_changes(compared)


def print_labels(compared: pl.DataFrame, images: int) -> None:
    """Labelled queries: Top-1 image and Δ by scenario."""
    top1, margin = (next(one for one in HEADLINES if one.metric == metric) for metric in ("image", "margin_image"))
    shown = Table("scenario", "queries", "Top-1 image", "", "Δ, points", "", show_edge=False)
    scenarios = compared["scenario"].unique().sort().to_list()
    for scenario in [*(name for name in scenarios if name != ALL), ALL]:
        frame = part(compared, scenario=scenario)
        changes = [_change(headline, frame) for headline in (top1, margin)]
        count = str(top1.rows(frame)["n"].item())
        shown.add_row(
            escape(scenario), count, _cell(top1, frame, True), changes[0], _cell(margin, frame, True), changes[1]
        )
    out.print(shown)
    out.print(f"\n[dim]each query against {images} labelled images; scored by {escape(compared['scorer'][0])}[/]")
    if is_lexical(compared):
        out.print(
            "[dim]The evidence model knows the words of name, folder and of the text read in a picture, not its "
            "pixels: a reranker looks at those (--reranker qwen-vl --checkpoint …)[/]"
        )


def _change(headline: Headline, frame: pl.DataFrame) -> str:
    row = headline.rows(frame).to_dicts()
    delta = row[0]["delta"] if row else None
    return f"[dim]{headline.change(delta)}[/]" if delta else ""


def _print_stress(compared: Tables, average: pl.DataFrame | None, stress: str, protocols: list[str]) -> None:
    asked = sum(_of(table, stress, protocols[0]).filter(metric="recall", k=1)["n"].sum() for table in compared.values())
    title = f"{asked} pictures" if stress == "none" else f"{asked} pictures, {stress}"
    table = Table("", title=title, title_justify="left", show_edge=False)
    columns: list[tuple[pl.DataFrame, bool]] = []
    baseline_of = average if average is not None else next(iter(compared.values()))
    for protocol in protocols:
        shown = {} if average is None else {"average": average}
        for name, frame in {**shown, **compared}.items():
            table.add_column(f"{protocol}\n{name}", justify="right")
            columns.append((_of(frame, stress, protocol), name == "average" or average is None))
    table.add_column("file name\nalone", justify="right", style="dim")
    columns.append((_of(baseline_of, stress, protocols[0], baseline=True), False))
    for headline in HEADLINES:
        cells = [_cell(headline, frame, with_interval) for frame, with_interval in columns]
        if any(cells):
            table.add_row(headline.label, *cells)
    out.print(table)
    out.print()


def _print_scenarios(compared: Tables, stress: str, protocols: list[str]) -> None:
    for protocol in protocols:
        rows = list(_scenario_rows(compared, stress, protocol))
        if rows:
            labels = (headline.label for headline in SCENARIO_HEADLINES)
            table = Table(f"{protocol}, by scenario", "pictures", *labels, show_edge=False)
            for row in rows:
                table.add_row(*row)
            out.print(table)
            out.print()


def _scenario_rows(compared: Tables, stress: str, protocol: str) -> Iterator[tuple[str, ...]]:
    for name, table in compared.items():
        scenarios = table["scenario"].unique().sort().to_list()
        for scenario in scenarios:
            if scenario != ALL:
                frame = _of(table, stress, protocol, scenario=scenario)
                count = frame.filter(metric="recall", k=1)["n"].to_list()
                label = scenario if len(compared) == 1 else f"{name}: {scenario}"
                yield label, *map(str, count), *(_cell(one, frame, False) for one in SCENARIO_HEADLINES)


def _print_changes(compared: Tables) -> None:
    """What differs from the evaluation before, the largest change first within each collection."""
    for name, table in compared.items():
        changed = part(table, scenario=ALL).filter(pl.col("delta").is_not_null() & (pl.col("delta") != 0))
        if part(table)["before"].is_null().all():
            out.print(f"[dim]{escape(name)}: no evaluation of before to compare with[/]")
            continue
        shown = Table(f"{escape(name)}: changed since the last evaluation", "before", "now", "", show_edge=False)
        for row in changed.iter_rows(named=True):
            headline = next((one for one in HEADLINES if (one.metric, one.k) == (row["metric"], row["k"])), None)
            # What rounds to the same figure is no news: sums in another order move the last digits.
            if headline and headline.number(row["before"]) != headline.number(row["value"]):
                setting = row["protocol"] if row["stress"] == "none" else f"{row['protocol']}, {row['stress']}"
                numbers = headline.number(row["before"]), headline.number(row["value"])
                mark = " beyond noise" if row["beyond_noise"] else ""
                shown.add_row(f"{setting}: {headline.label.strip()}", *numbers, headline.change(row["delta"]) + mark)
        out.print(shown if shown.row_count else f"{escape(name)}: as in the evaluation before")


def _of(
    table: pl.DataFrame, stress: str, protocol: str, *, scenario: str = ALL, baseline: bool = False
) -> pl.DataFrame:
    return part(table, baseline=baseline, scenario=scenario, stress=stress, protocol=protocol)


def _cell(headline: Headline, table: pl.DataFrame, with_interval: bool) -> str:
    found = headline.estimate(table)
    if found is None:
        return ""
    value = headline.number(found.value)
    if not with_interval:
        return value
    return f"{value} [dim]{headline.number(found.low)}–{headline.number(found.high)}[/]"
