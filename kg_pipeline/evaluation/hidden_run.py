"""One pass of the pipeline while references are hidden: the functions of a real run, on a corpus that lacks them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.config import Collection
from kg_pipeline.evaluation.truth import truth_of
from kg_pipeline.evidence import judge, score_pairs, select_candidates
from kg_pipeline.progress import track
from kg_pipeline.tables import TABLES

Protocol = Literal["cold", "folds"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
FOLDS = 5

Score = Callable[[Corpus, pl.DataFrame], pl.DataFrame]
"""Scores candidate pairs of a corpus: table candidate_pairs in, table pair_scores out."""


@dataclass(frozen=True)
class HiddenRun:
    """What was found while references were hidden; each picture stands here once, from the pass that hid it.

    Pictures without references are here too, as if they had been hidden.
    """

    pairs: pl.DataFrame
    """Table candidate_pairs, features included, and `fold`."""
    evidence: pl.DataFrame
    """Table visual_evidence, and `fold`. Its `image_rank` is among all pictures of the pass."""
    rivals: pl.DataFrame
    """For passages that hold a reference to a hidden picture, what the pictures of the pass scored there: fold,
    text_id, image_id, log_odds, score, and `right`, whether it is such a picture. Visible ones of the passage, which
    are neither right nor wrong, are left out."""


def hidden_run(
    collection: Collection, corpus: Corpus, protocol: Protocol, score: Score = lambda _, pairs: score_pairs(pairs)
) -> HiddenRun:
    """Candidates, features, scores and judgement of every picture, its own references being hidden.

    cold: no reference of anything is visible. folds: the references of a fifth of the pictures, by hash of their
    bytes, are hidden at a time, as those of a real orphan are. Verdicts are left out: people give them by looking at
    what is to be found. `score` is the evidence model unless a reranker is passed in.
    """
    true = truth_of(corpus).filter("strict", text_kind="chunk")
    parts = [
        _pass(collection, hidden, true, pictures, fold, score)
        for fold, pictures, hidden in track(list(hiding_passes(corpus, protocol)), f"hiding references ({protocol})")
    ]
    return HiddenRun(
        pl.concat(part.pairs for part in parts).sort("image_id", "text_kind", "position"),
        pl.concat(part.evidence for part in parts).sort("type", "image_id", "text_kind", "rank"),
        pl.concat(part.rivals for part in parts).sort("fold", "text_id", "image_id"),
    )


def fold_of(image_id: str) -> int:
    """Which fifth a picture belongs to, 0–4: image ids are hashes of the bytes already."""
    return int(image_id[:8], 16) % FOLDS


def without_references(corpus: Corpus, image_ids: pl.Series) -> Corpus:
    """The corpus without any trace of what documents say of these pictures: rows that are not there cannot leak.

    References that lead to no picture are left out as well: they may be a misspelt one to a hidden picture.
    """
    visible = corpus.references.filter(
        pl.col("image_id").is_not_null() & ~pl.col("image_id").is_in(image_ids.unique().implode())
    )
    return corpus.with_references(visible)


def hiding_passes(corpus: Corpus, protocol: Protocol) -> Iterator[tuple[int, pl.Series, Corpus]]:
    """Fold, its pictures, and the corpus in which they are hidden."""
    image_ids = corpus.images["image_id"]
    if protocol == "cold":
        yield 0, image_ids, without_references(corpus, image_ids)
        return
    of_image = pl.Series([fold_of(image_id) for image_id in image_ids], dtype=pl.Int64())
    for fold in range(FOLDS):
        pictures = image_ids.filter(of_image == fold)
        if len(pictures):
            yield fold, pictures, without_references(corpus, pictures)


def _pass(
    collection: Collection, corpus: Corpus, true: pl.DataFrame, pictures: pl.Series, fold: int, score: Score
) -> HiddenRun:
    """One pass over a corpus in which `pictures` are hidden."""
    pairs = select_candidates(collection, corpus).pairs
    evidence = judge(collection, corpus, pairs, score(corpus, pairs), TABLES["verdicts"].empty())
    hidden = pl.col("image_id").is_in(pictures.implode())
    right = true.select("image_id", "text_id", right=pl.lit(True))
    rivals = (
        evidence.filter(text_kind="chunk")
        .join(right.filter(hidden), on="text_id", how="semi")
        .join(right, on=["image_id", "text_id"], how="left")
        .with_columns(pl.col("right").fill_null(False))
        .filter(~pl.col("right") | hidden)
        .select(pl.lit(fold).alias("fold"), "text_id", "image_id", "log_odds", "score", "right")
    )
    of_fold = pl.lit(fold).alias("fold")
    return HiddenRun(pairs.filter(hidden).with_columns(of_fold), evidence.filter(hidden).with_columns(of_fold), rivals)
