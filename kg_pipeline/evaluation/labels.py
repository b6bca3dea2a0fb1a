"""Labelled queries instead of hidden references: the article's own table, Top-1 image and Δ by scenario."""

import csv
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.image_words import CHINESE_SHARE
from kg_pipeline.candidates.tokens import cjk_share
from kg_pipeline.evaluation.errors import EvaluationError
from kg_pipeline.evaluation.evaluating import rows_of
from kg_pipeline.evaluation.hidden_run import Score
from kg_pipeline.evaluation.measures import Sample
from kg_pipeline.evaluation.scenarios import ALL
from kg_pipeline.evidence import EVIDENCE_SCORER, pair_features
from kg_pipeline.ids import sha256_text
from kg_pipeline.tables import TABLES

PROTOCOL = "labels"
COLUMNS = ("query", "image", "scenario")
LABELS = pl.Schema({"query": pl.String(), "image_id": pl.String(), "scenario": pl.String()})

_log = logging.getLogger(__name__)


def read_labels(path: Path, image_files: pl.DataFrame) -> pl.DataFrame:
    """query, image_id, scenario of a CSV with the columns query, image and scenario; several images per query are fine.

    `image` is a path of the collection, or the end of exactly one. Rows that name none are reported and left out.
    Raises EvaluationError when the file cannot be read, lacks a column, or no row is left.
    """
    ends = _ends_of_paths(image_files)
    found, lost = [], []
    for line, row in _rows(path):
        image = ends.get(row["image"].strip().replace("\\", "/").removeprefix("./"))
        if image and row["query"].strip():
            found.append((row["query"].strip(), image, (row["scenario"] or "").strip() or "unnamed"))
        else:
            lost.append(f"line {line}: {row['image'] or 'no image'}")
    if not found:
        raise EvaluationError(
            f"{path}: no row names an image of the collection ({', '.join(lost[:3]) or 'the file has no rows'}); "
            "`image` is a path as in `kg-pipeline tables image_files`, or an unambiguous end of one"
        )
    if lost:
        _log.warning("%s: %d of %d rows left out, %s", path, len(lost), len(lost) + len(found), "; ".join(lost[:5]))
    return pl.DataFrame(found, schema=LABELS, orient="row").unique(maintain_order=True)


def score_labels(corpus: Corpus, labels: pl.DataFrame, score: Score) -> pl.DataFrame:
    """Every query against every labelled image: query, image_id, scorer, log_odds, score, right; sorted.

    The queries stand in the place of the passages. For the evidence model that leaves the words of name, folder and
    picture; where they stand says nothing of a query.
    """
    queries = _corpus_of_queries(corpus, labels)
    pairs = queries.images.select("image_id", text_kind=pl.lit("chunk")).join(
        queries.chunks.select("text_sha256", text_id="chunk_id"), how="cross"
    )
    pairs = pair_features(queries, pairs).with_columns(
        pl.col("features").struct.with_fields(path_distance=pl.lit(0.0)),
        strategies=pl.lit([PROTOCOL]),
        fused_score=pl.lit(0.0),
        position=pl.int_range(1, pl.len() + 1).over("image_id"),
    )
    scores = score(queries, TABLES["candidate_pairs"].conform(pairs))
    right = labels.select("query", "image_id", right=pl.lit(True)).unique()
    return (
        scores.join(queries.chunks.select("text", text_id="chunk_id"), on="text_id")
        .rename({"text": "query"})
        .join(right, on=["query", "image_id"], how="left")
        .select("query", "image_id", "scorer", "log_odds", "score", pl.col("right").fill_null(False))
        .sort("query", "log_odds", "image_id", descending=[False, True, False], nulls_last=True)
    )


def measure_labels(scored: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Table evaluation, protocol `labels`: share of queries whose first image is right, and Δ, by scenario.

    Δ: points between the best right image of a query and the best wrong one, mean over queries; an image that could
    not be scored has 0. A tie with a wrong image is no right answer.
    """
    points = pl.col("score").fill_null(0.0)
    of_query = scored.group_by("query").agg(
        right=points.filter("right").max(), wrong=points.filter(~pl.col("right")).max()
    )
    of_query = of_query.with_columns(margin=pl.col("right") - pl.col("wrong")).sort("query")
    asked = labels.select("query", "scenario").unique().join(of_query, on="query").sort("scenario", "query")
    scorers = scored["scorer"].unique().sort().to_list()
    rows = []
    for scenario, part in [(ALL, asked.unique("query", maintain_order=True)), *_by_scenario(asked)]:
        first = part["margin"].fill_null(np.inf).to_numpy() > 0
        samples = [
            Sample("image", 1, first.astype(np.float64)),
            Sample("margin_image", None, part["margin"].drop_nulls().to_numpy()),
        ]
        where = {"scenario": scenario, "protocol": PROTOCOL, "stress": "none", "scorer": ", ".join(scorers)}
        rows += rows_of(samples, where)
    return TABLES["evaluation"].rows(rows)


def is_lexical(table: pl.DataFrame) -> bool:
    """Whether the evidence model scored, which looks at words only."""
    return EVIDENCE_SCORER in table["scorer"].to_list()


def _by_scenario(asked: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    return [(name, asked.filter(scenario=name)) for name in asked["scenario"].unique().sort()]


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            rows = [(reader.line_num, {name: row.get(name) or "" for name in COLUMNS}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"cannot read the labels {path}: {error}") from error
    if lacking:
        raise EvaluationError(f"{path}, line 1: the column {', '.join(lacking)} is missing; give {', '.join(COLUMNS)}")
    return rows


def _ends_of_paths(image_files: pl.DataFrame) -> dict[str, str]:
    """Image ids by path, and by every end of a path that belongs to one image alone."""
    paths = dict(image_files.filter(pl.col("image_id").is_not_null()).select("path", "image_id").iter_rows())
    ends = {
        (path[place + 1 :], image)
        for path, image in paths.items()
        for place, letter in enumerate(path)
        if letter == "/"
    }
    counts = Counter(end for end, _ in ends)
    return {end: image for end, image in ends if counts[end] == 1} | paths


def _corpus_of_queries(corpus: Corpus, labels: pl.DataFrame) -> Corpus:
    """Each query as the one passage of a document without title and place, and the labelled images."""
    queries = labels["query"].unique().sort().to_list()
    ids = {query: sha256_text(query) for query in queries}
    documents: list[dict[str, object]] = [
        {
            "document_id": ids[query],
            "path": "",
            "language": "zh" if cjk_share(query) >= CHINESE_SHARE else "en",
            "status": "ok",
        }
        for query in queries
    ]
    chunks: list[dict[str, object]] = [
        {"chunk_id": ids[query], "document_id": ids[query], "index": 0, "heading_path": [], "text": query,
         "text_sha256": ids[query]}
        for query in queries
    ]  # fmt: skip
    of_images = [frame.join(labels, on="image_id", how="semi") for frame in (corpus.image_files, corpus.images)]
    return Corpus(
        documents=TABLES["documents"].rows(documents),
        chunks=TABLES["chunks"].rows(chunks),
        references=TABLES["references"].empty(),
        image_files=of_images[0],
        images=of_images[1],
        image_texts=corpus.image_texts.join(labels, on="image_id", how="semi"),
        concepts=TABLES["concepts"].empty(),
        concept_mentions=TABLES["concept_mentions"].empty(),
    )
