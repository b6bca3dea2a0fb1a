"""The page of an evaluation: figures, plots and the worst misses, in one file that needs no network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

from kg_pipeline.evaluation import Evaluation, Outcome, asked
from kg_pipeline.evaluation.headline import HEADLINES, SCENARIO_HEADLINES, Headline, part
from kg_pipeline.evaluation.scenarios import ALL
from kg_pipeline.reports.evaluation_plots import evaluation_plots
from kg_pipeline.reports.misses import worst_misses
from kg_pipeline.reports.page import render, write_page
from kg_pipeline.reports.plots import Plot
from kg_pipeline.reports.views import meanings

SHOWN_FIRST = ("folds", "none")
"""Protocol and stress of the plots, where they were measured: nearest to what a real orphan meets."""


@dataclass(frozen=True)
class Cell:
    """A figure with its interval and what changed."""

    value: str
    low: str
    high: str
    change: str
    beyond_noise: bool


def write_evaluation(
    path: Path,
    evaluations: Sequence[Evaluation],
    compared: Mapping[str, pl.DataFrame],
    average: pl.DataFrame | None,
    thumbnail: Callable[[str], str | None],
) -> Path:
    """Write the page of one or several collections, atomically, and return `path`.

    `compared`: tables of History.add by collection; `average`: that of average_table where there are several.
    `thumbnail` gives a data: address for a picture's uri, or None. Raises ReportError.
    """
    return write_page(path, _page(evaluations, compared, average, cache(thumbnail)))


def shown_outcomes(evaluations: Sequence[Evaluation]) -> list[Outcome]:
    """Of each collection the outcome whose plots and misses are shown: folds without stress, else the first."""
    found = []
    for evaluation in evaluations:
        best = (one for one in evaluation.outcomes if (one.protocol, one.stress) == SHOWN_FIRST)
        found.append(next(best, evaluation.outcomes[0]))
    return found


def plots_of(evaluations: Sequence[Evaluation]) -> list[Plot]:
    """The plots of the page."""
    return evaluation_plots(list(zip(*(one.outcomes for one in evaluations), strict=True)), shown_outcomes(evaluations))


def _page(
    evaluations: Sequence[Evaluation],
    compared: Mapping[str, pl.DataFrame],
    average: pl.DataFrame | None,
    thumbnail: Callable[[str], str | None],
) -> bytes:
    names = [evaluation.collection for evaluation in evaluations]
    shown, first = shown_outcomes(evaluations), evaluations[0]
    misses, missed = worst_misses(evaluations, shown, thumbnail)
    settings = [(one.protocol, one.stress, one.name) for one in first.outcomes]
    whole = average if average is not None else compared[names[0]]
    bars = {bar.name for miss in misses for side in (miss.found, miss.expected) for bar in side.bars}
    return render(
        "evaluation.html.j2",
        ("gallery.css", "plot.css", "evaluation.css"),
        None,
        title=names[0] if len(names) == 1 else f"{len(names)} collections",
        names=names,
        pictures=sum(len(asked(outcome.truth, "chunk")) for outcome in shown),
        scorer=first.outcomes[0].scorer,
        settings=settings,
        figures=_figures(whole, settings, HEADLINES),
        is_compared=average is None and not part(whole)["before"].is_null().all(),
        by_collection=_by_collection(compared, settings) if average is not None else [],
        parts=_parts(evaluations),
        scenarios=_scenarios(compared, settings),
        scenario_labels=[headline.label for headline in SCENARIO_HEADLINES],
        plots=plots_of(evaluations),
        shown=shown[0].name,
        misses=misses,
        missed=missed,
        features=meanings(bars),
    )


Settings = Sequence[tuple[str, str, str]]
"""Protocol, stress and name of each outcome."""


def _figures(
    table: pl.DataFrame, settings: Settings, headlines: Sequence[Headline]
) -> list[tuple[str, list[Cell | None]]]:
    """Label and cells of each measure: one per setting, then the file name alone."""
    frames = [
        part(table, scenario=ALL, protocol=protocol, stress=stress, baseline=baseline)
        for baseline, wanted in ((False, settings), (True, settings[:1]))
        for protocol, stress, _ in wanted
    ]
    rows = [(headline.label.strip(), [_cell(headline, frame) for frame in frames]) for headline in headlines]
    return [row for row in rows if any(row[1])]


def _by_collection(
    compared: Mapping[str, pl.DataFrame], settings: Settings
) -> list[tuple[str, str, list[Cell | None]]]:
    return [
        (name, setting, _cells(part(table, scenario=ALL, protocol=protocol, stress=stress)))
        for protocol, stress, setting in settings
        for name, table in compared.items()
    ]


def _parts(evaluations: Sequence[Evaluation]) -> list[tuple[str, str, str, list[Cell | None]]]:
    """Collection, setting, part and cells, where a reranker scored."""
    return [
        (evaluation.collection, outcome.name, part_of_order, _cells(frame))
        for evaluation in evaluations
        for outcome in evaluation.outcomes
        for part_of_order, frame in outcome.parts.items()
    ]


def _scenarios(
    compared: Mapping[str, pl.DataFrame], settings: Settings
) -> list[tuple[str, str, int, list[Cell | None]]]:
    """Scenario, setting, pictures and cells of everything but the whole."""
    rows = []
    for name, table in compared.items():
        for protocol, stress, setting in settings:
            whole = part(table, protocol=protocol, stress=stress)
            for scenario in whole["scenario"].unique().sort():
                frame = whole.filter(scenario=scenario)
                if scenario != ALL:
                    label = scenario if len(compared) == 1 else f"{name}: {scenario}"
                    rows.append((label, setting, int(HEADLINES[0].rows(frame)["n"].item()), _cells(frame)))
    return rows


def _cells(frame: pl.DataFrame) -> list[Cell | None]:
    return [_cell(headline, frame) for headline in SCENARIO_HEADLINES]


def _cell(headline: Headline, frame: pl.DataFrame) -> Cell | None:
    rows = headline.rows(frame)
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    delta = row.get("delta")
    return Cell(
        value=headline.number(row["value"]),
        low=headline.number(row["ci_low"]),
        high=headline.number(row["ci_high"]),
        change=headline.change(delta) if delta else "",
        beyond_noise=bool(row.get("beyond_noise")),
    )
