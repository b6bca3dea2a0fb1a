"""Scores of the candidate pairs, and what they say about which picture shows what."""

import resource
from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from assets.candidates import CORPUS_TABLES, load_corpus
from kg_pipeline.evidence import EVIDENCE_SCORER, Calibration, calibration_of, judge
from kg_pipeline.evidence import score_pairs as score_with_evidence_model
from kg_pipeline.orchestration.io_manager import known_table
from kg_pipeline.orchestration.metadata import markdown_table, page_metadata, plot_metadata, served_view
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from kg_pipeline.orchestration.table_assets import table_asset
from kg_pipeline.reports import (
    edge_changes,
    reliability_of_references,
    scores_of_pairs,
    shares_of_confidence,
    weakest_edges,
)
from kg_pipeline.reranking import Choice, check_scorer_change, explain_corpus_edges, score_corpus_pairs
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import JUDGED_TABLES, count_verdicts
from resources.collections import Collections
from resources.reranker import RerankerResource
from resources.tables import Tables

KIB = 1024
"""Linux counts resident memory in them."""

placed: dict[str, Any] = {**by_collection, "group_name": "scoring"}


@dg.asset(**table_asset("pair_scores"), **placed, pool="gpu", deps=["images", "image_files", "chunks", "concepts"])
def pair_scores(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    reranker: RerankerResource,
    candidate_pairs: pl.LazyFrame,
) -> pl.DataFrame:
    """Score each pair: by the reranker and its ledger, or by the evidence model when there is no reranker."""
    collection, pairs = collections.get(context.partition_key), candidate_pairs.collect()
    choice = reranker.get(collection)
    model = choice.reranker
    recorded = tables.store().read("pair_scores", collection.name)["scorer"].unique().to_list()
    context.log.info("reranker %s", choice.reason)
    check_scorer_change(collection.scoring, recorded, model.fingerprint if model else EVIDENCE_SCORER)
    if model is None:
        scores = score_with_evidence_model(pairs)
        context.add_output_metadata(
            {
                "reranker": choice.reason,
                "scorer": _scorer(scores),
                "pairs": len(pairs),
                "model_calls": 0,
                "ledger_hits": 0,
                "gpu_seconds": 0.0,
                "peak_process_memory_gb": peak_memory_gb(),
                **plot_metadata([scores_of_pairs(scores)]),
            }
        )
        return scores
    with logged_progress(context):
        scores, report = score_corpus_pairs(
            model,
            tables.ledger(),
            load_corpus(tables, collection.name),
            pairs,
            collection.limits,
            collection.scoring.max_new_pairs,
        )
    facts = model.facts()
    # A reranker names the memory it took where it computed on a GPU, and its server where that was elsewhere.
    seconds = report.model_seconds if "peak_memory_gb" in facts else 0.0
    on_gpu = {} if "server" in facts else {"gpu_seconds": round(seconds, 2)}
    context.add_output_metadata(
        {
            "reranker": choice.reason,
            "scorer": model.fingerprint,
            "pairs": report.pairs,
            "model_calls": report.model_calls,
            "ledger_hits": report.ledger_hits,
            "unscored": report.unscored,
            "expected_seconds": report.expected_seconds,
            "model_seconds": round(report.model_seconds, 2),
            **on_gpu,
            "peak_process_memory_gb": peak_memory_gb(),
            **facts,
            **plot_metadata([scores_of_pairs(scores)]),
        }
    )
    return scores


@dg.asset(
    **table_asset("visual_evidence"), **placed, deps=[*CORPUS_TABLES, "verdicts", "evidence_weights", "calibrators"]
)
def visual_evidence(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    candidate_pairs: pl.LazyFrame,
    pair_scores: pl.LazyFrame,
) -> pl.DataFrame:
    """Rank the pairs, give each a confidence and a reason, and decide which become edges."""
    collection = collections.get(context.partition_key)
    corpus, page = load_corpus(tables, collection.name), tables.edges_page(collection.name)
    verdicts, scores = tables.store().read("verdicts", collection.name), pair_scores.collect()
    weights, calibrators = (tables.store().read(name, collection.name) for name in ("evidence_weights", "calibrators"))
    scorer = _scorer(scores)
    calibration = calibration_of(scorer, weights, calibrators)
    evidence = judge(collection, corpus, candidate_pairs.collect(), scores, verdicts, calibration)
    # The page is written by orphan_images, later in the same run.
    context.add_output_metadata(
        served_view("pictures", collection.name) | page_metadata("edges page", page, tables.report_address(page))
    )
    context.add_output_metadata({"calibration": _said_of(calibration, scorer, calibrators)})
    kept = evidence.filter("kept").group_by("type", "text_kind").len().sort("type", "text_kind")
    context.add_output_metadata({f"kept/{type_}/{kind}": count for type_, kind, count in kept.iter_rows()})
    counts = count_verdicts(verdicts, {table: getattr(corpus, table) for table in JUDGED_TABLES})
    context.add_output_metadata({f"verdicts/{said}": count for said, count in counts.items()})
    context.add_output_metadata(
        {
            **edge_changes(known_table(tables.store(), "visual_evidence", collection.name), evidence),
            **plot_metadata([shares_of_confidence(evidence), reliability_of_references(corpus, evidence)]),
            "weakest edges": dg.MetadataValue.md(markdown_table(weakest_edges(evidence, corpus))),
        }
    )
    return evidence


@dg.asset(**table_asset("edge_reasons"), **placed, pool="gpu", deps=CORPUS_TABLES)
def edge_reasons(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    reranker: RerankerResource,
    visual_evidence: pl.LazyFrame,
) -> pl.DataFrame:
    """Let the reranker write a sentence about the least certain edges, where that is asked for."""
    collection = collections.get(context.partition_key)
    most = collection.scoring.explain_edges
    choice = reranker.get(collection) if most else Choice(None, "not asked for: scoring.explain_edges is 0")
    if choice.reranker is None:
        context.add_output_metadata({"reranker": choice.reason, "model_calls": 0})
        return TABLES["edge_reasons"].empty()
    with logged_progress(context):
        reasons, report = explain_corpus_edges(
            choice.reranker,
            load_corpus(tables, collection.name),
            visual_evidence.collect(),
            collection.limits,
            most,
            tables.reasons_cache(),
        )
    context.add_output_metadata({"reranker": choice.reason, **asdict(report)})
    return reasons


def _said_of(calibration: Calibration | None, scorer: str, calibrators: pl.DataFrame) -> str:
    if calibration:
        return f"{calibration.name}, of {calibration.scorer}"
    if calibrators.is_empty():
        return "none: confidence is score / 10; `kg-pipeline calibrate` fits one on the collection's references"
    others = ", ".join(calibrators["scorer"].unique().sort())
    return f"none of {scorer}, only of {others}: confidence is score / 10 until `kg-pipeline calibrate` has run again"


def peak_memory_gb() -> float:
    """What this process has taken of the machine's memory at most; a step is a process of its own in Dagster."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 1e9, 2)


def _scorer(scores: pl.DataFrame) -> str:
    return ", ".join(scores["scorer"].unique().sort()) or "none"
