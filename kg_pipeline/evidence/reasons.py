"""The sentence on every row: what was found, and why the pair is kept or not."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from kg_pipeline.config import KeptRule
from kg_pipeline.evidence.calibration import RERANKER
from kg_pipeline.evidence.model import EVIDENCE_SCORER

# What is found → the features that speak of it. Together they must be worth saying: `WORTH_SAYING` log-odds.
FINDINGS: Mapping[str, tuple[str, ...]] = {
    "words of the file name stand in the passage": ("name_body", "name_in_document", "name_trigrams"),
    "the file name matches the heading": ("name_heading",),
    "words read in the picture stand in the heading": ("ocr_heading",),
    "words read in the picture stand in the passage": ("ocr_body", "ocr_bigrams"),
    "words of name or picture stand in the passage in its language": ("translated_body", "translated_heading"),
    "whole lines read in the picture stand in the passage": ("phrase",),
    "labels quoted in the passage are read in the picture": ("ui_labels",),
    "the passage points to a picture": ("cue_words",),
    "the file name matches the document's title": ("name_title", "title_trigrams"),
    "the folder name matches the document's title": ("folder_overlap", "folder_name"),
    "words of the file name stand in the document": ("name_document",),
    "words read in the picture stand in the document": ("ocr_document",),
    "it has the language of the document": ("same_language",),
    "the words of the picture mean much the same": ("embedding",),
    "like pictures are used here": ("siblings",),
    "the document uses other pictures of the folder": ("proximity",),
    "it lies there in the document's own file": ("inside",),
    "the concept is in the file name or folder": ("concept_in_name",),
    "a likely passage mentions the concept": ("concept_passage",),
    "the reranker finds it in the pixels": (RERANKER,),
}
WORTH_SAYING = 0.2
FINDINGS_SAID = 3
NOTHING = "nothing in particular speaks for it"
NOT_LOOKED_AT = " (judged by words and paths, not by the pixels)"


def findings(parts: pl.DataFrame) -> pl.Series:
    """What speaks most for each row, in words; `parts` are the contributions, a column each."""
    values = parts.select(pl.sum_horizontal(features).alias(text) for text, features in FINDINGS.items()).to_numpy()
    best = np.argsort(-values, axis=1, kind="stable")[:, :FINDINGS_SAID]
    worth = np.take_along_axis(values, best, axis=1) >= WORTH_SAYING
    # Few of the possible combinations occur: each is put into words once.
    combinations, of_row = np.unique(np.where(worth, best, -1), axis=0, return_inverse=True)
    texts = [", ".join(list(FINDINGS)[place] for place in row if place >= 0) for row in combinations.tolist()]
    said = pl.Series("findings", [text or NOTHING for text in texts], dtype=pl.String())
    return said.gather(of_row.reshape(-1))


def reason(rule: KeptRule) -> pl.Expr:
    """Needs findings, score, confidence, min_confidence, rank, log_odds, scorer, verdict, by, decorative_reason."""
    score = pl.when(pl.col("score").is_null()).then(pl.lit("none")).otherwise(_number("score", 1))
    by_words = (
        pl.when(pl.col("scorer").str.starts_with(EVIDENCE_SCORER)).then(pl.lit(NOT_LOOKED_AT)).otherwise(pl.lit(""))
    )
    return pl.concat_str(pl.lit("Score: "), score, pl.lit(" — "), "findings", by_words, pl.lit("; "), _kept(rule))


def _kept(rule: KeptRule) -> pl.Expr:
    confidence, rank = pl.col("confidence"), pl.col("rank")
    enough, near = confidence >= pl.col("min_confidence"), rank <= rule.max_rank
    said_confidence = pl.concat_str(
        pl.lit("confidence "),
        _number("confidence", 2),
        pl.when(enough).then(pl.lit(" ≥ ")).otherwise(pl.lit(" < ")),
        _number("min_confidence", 2),
    )
    said_rank = pl.concat_str(
        pl.lit("rank "), rank, pl.when(near).then(pl.lit(" ≤ ")).otherwise(pl.lit(" > ")), pl.lit(str(rule.max_rank))
    )
    person = pl.col("by").fill_null("a person")
    return (
        pl.when(pl.col("verdict") == "accepted")
        .then(pl.concat_str(pl.lit("kept: accepted by "), person))
        .when(pl.col("verdict") == "rejected")
        .then(pl.concat_str(pl.lit("not kept: rejected by "), person))
        .when(pl.col("decorative_reason").is_not_null())
        .then(pl.concat_str(pl.lit("not kept: decorative image, "), pl.col("decorative_reason")))
        .when(pl.col("log_odds").is_null())
        .then(pl.lit("not kept: the pair could not be scored"))
        .when(enough & near)
        .then(pl.concat_str(pl.lit("kept: "), said_confidence, pl.lit(", "), said_rank))
        .when(~enough)
        .then(pl.concat_str(pl.lit("not kept: "), said_confidence))
        .otherwise(pl.concat_str(pl.lit("not kept: "), said_rank))
    )


def _number(column: str, digits: int) -> pl.Expr:
    """With exactly so many digits: 7.0, not 7."""
    scaled = (pl.col(column) * 10**digits).round().cast(pl.Int64)
    fraction = (scaled % 10**digits).cast(pl.String()).str.zfill(digits)
    return pl.concat_str((scaled // 10**digits).cast(pl.String()), pl.lit("."), fraction)
