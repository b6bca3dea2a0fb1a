"""How well hidden references are found again: a job of its own, beside the runs that fill the graph."""

from collections.abc import Sequence

import dagster as dg
import polars as pl
from pydantic import Field

from assets.candidates import CORPUS_TABLES, load_corpus
from kg_pipeline.config import ConfigError
from kg_pipeline.evaluation import FACETS, PROTOCOLS, STRESSES, EvaluationError, History, Protocol, evaluate, scorer_of
from kg_pipeline.evaluation.headline import HEADLINES, part
from kg_pipeline.evaluation.scenarios import ALL
from kg_pipeline.images import thumbnail
from kg_pipeline.orchestration.metadata import markdown_table, page_metadata, plot_metadata
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from kg_pipeline.orchestration.table_assets import table_asset
from kg_pipeline.reports import plots_of, write_evaluation
from resources.collections import Collections
from resources.reranker import RerankerResource
from resources.tables import Tables

THUMBNAIL_SIDE = 160


class EvaluationConfig(dg.Config):
    """What to measure, in the launchpad."""

    protocols: list[str] = Field(list(PROTOCOLS), description=f"what is hidden: {', '.join(PROTOCOLS)}")
    stresses: list[list[str]] = Field(
        [[]], description=f"each a list of what is taken away together: {', '.join(STRESSES)}; [] is as it is"
    )
    scenarios: list[str] = Field([], description=f"also measured apart by: {', '.join(FACETS)}")

    def chosen_protocols(self) -> tuple[Protocol, ...]:
        """The protocols in their order. Raises ConfigError for an unknown word anywhere."""
        known = {"protocols": PROTOCOLS, "stresses": STRESSES, "scenarios": tuple(FACETS)}
        given = {
            "protocols": self.protocols,
            "stresses": [word for kinds in self.stresses for word in kinds],
            "scenarios": self.scenarios,
        }
        for key, words in given.items():
            if unknown := sorted(set(words) - set(known[key])):
                raise ConfigError(f"evaluation.{key}: {', '.join(unknown)}: expected {', '.join(known[key])}")
        return tuple(protocol for protocol in PROTOCOLS if protocol in self.protocols)


@dg.asset(**table_asset("evaluation"), **by_collection, group_name="quality", pool="gpu", deps=CORPUS_TABLES)
def evaluation(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    collections: Collections,
    tables: Tables,
    reranker: RerankerResource,
) -> pl.DataFrame:
    """Hide the references of the collection, run the pipeline in memory, measure, compare with the time before."""
    collection, protocols = collections.get(context.partition_key), config.chosen_protocols()
    choice = reranker.get(collection)
    try:
        with logged_progress(context):
            found = evaluate(
                collection,
                load_corpus(tables, collection.name),
                protocols,
                [frozenset(kinds) for kinds in config.stresses],
                tuple(facet for facet in FACETS if facet in config.scenarios),
                scorer_of(collection, choice.reranker, tables.ledger()),
            )
    except EvaluationError as error:
        # No references to hide: that is how the collection is, not a failure of the run.
        context.log.warning("%s", error)
        context.add_output_metadata({"not_measured": str(error)})
        return tables.store().read("evaluation", collection.name)
    compared = History(tables.root, collection.name).add(found.table)
    page = write_evaluation(
        tables.evaluation_page(collection.name),
        [found],
        {collection.name: compared},
        None,
        lambda uri: thumbnail(uri, collection.limits, THUMBNAIL_SIDE),
    )
    context.add_output_metadata(
        {
            **page_metadata("page", page, tables.report_address(page)),
            "reranker": choice.reason,
            "compared": dg.MetadataValue.md(markdown_table(_headlines(compared))),
            **_figures(compared),
            **plot_metadata(plots_of([found])),
        }
    )
    return found.table


def _figures(compared: pl.DataFrame) -> dict[str, float]:
    """`cold/recall@50 strict` → 0.985 and so on, which Dagster plots from evaluation to evaluation."""
    rows = part(compared, scenario=ALL, stress="none")
    return {
        f"{protocol}/{headline.label.strip()}": found.value
        for protocol in rows["protocol"].unique().sort()
        for headline in HEADLINES
        if not headline.metric.endswith("_floor") and (found := headline.estimate(rows.filter(protocol=protocol)))
    }


def _headlines(compared: pl.DataFrame) -> pl.DataFrame:
    """The figures with their intervals and changes, in words."""
    rows: list[Sequence[str]] = []
    settings = part(compared, scenario=ALL).select("protocol", "stress").unique().sort("stress", "protocol")
    for protocol, stress in settings.iter_rows():
        frame = part(compared, scenario=ALL, protocol=protocol, stress=stress)
        for headline in HEADLINES:
            for row in headline.rows(frame).iter_rows(named=True):
                change = headline.change(row["delta"]) if row["delta"] else ""
                interval = f"{headline.number(row['ci_low'])} – {headline.number(row['ci_high'])}"
                setting = protocol if stress == "none" else f"{protocol}, {stress}"
                rows.append((setting, headline.label.strip(), headline.number(row["value"]), interval, change))
    return pl.DataFrame(rows, schema=["setting", "measure", "value", "95 %", "change"], orient="row")
