"""The judgement: from scores to ranked, explained evidence, kept or not."""

import numpy as np
import polars as pl
import pyarrow as pa

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.folders import translation_key
from kg_pipeline.candidates.fusion import REFERENCE
from kg_pipeline.config import Collection, KeptRule
from kg_pipeline.evidence.calibration import (
    RERANKER,
    Calibration,
    any_of,
    fused_parts,
    fused_sum,
    is_evidence_model,
)
from kg_pipeline.evidence.features import KEY, pair_features
from kg_pipeline.evidence.model import (
    DOCUMENT_INTERCEPT,
    DOCUMENT_SCALE,
    EVIDENCE_SCORER,
    contributions,
    log_odds,
    sigmoid,
)
from kg_pipeline.evidence.ranking import with_ranks
from kg_pipeline.evidence.reasons import findings, reason
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import ACCEPTED, JUDGED_TABLES, REJECTED, current_verdicts


def judge(
    collection: Collection,
    corpus: Corpus,
    candidate_pairs: pl.DataFrame,
    pair_scores: pl.DataFrame,
    verdicts: pl.DataFrame,
    calibration: Calibration | None = None,
) -> pl.DataFrame:
    """Table visual_evidence: a row per candidate pair, accepted pair, and image and document among them.

    Without a calibration the scorer's log-odds decide, confidence is score/10, contributions are the evidence model's,
    and a document is worth as much as its best passage that nobody rejected; where the evidence model is the scorer, as
    much as such a passage says of its document. With one, the fused log-odds decide about passages, a document is what
    its passages together make likely, and the curves give the confidence; `log_odds` and `score` stay a reranker's,
    while the evidence model's are replaced by the fitted ones. Raises ValueError for a calibration of another scorer.
    """
    said = current_verdicts(verdicts, {table: getattr(corpus, table) for table in JUDGED_TABLES})
    pairs = pl.concat([candidate_pairs, _accepted_only(corpus, candidate_pairs, said)]).sort(KEY)
    scored = _scored(pairs, pair_scores).join(said.drop("text_sha256", "at"), on=KEY, how="left", maintain_order="left")
    scored = scored.join(
        corpus.chunks.select("document_id", text_id="chunk_id"), on="text_id", how="left", maintain_order="left"
    )
    parts = contributions(pairs).with_columns(pl.lit(None, pl.Float64()).alias(RERANKER))
    decided = scored.with_columns(decisive="log_odds")
    if calibration:
        decided, parts = _fused(corpus, decided, parts, calibration)
    texts = decided.with_columns(_contribution_list(parts), findings(parts))
    texts = texts.with_columns(_best_chunk(corpus, texts))
    ranked = with_ranks(pl.concat([texts, _documents(texts, calibration)], how="diagonal"))
    judged = _explained(_confident(ranked, collection.kept, calibration), corpus, collection.kept)
    return TABLES["visual_evidence"].conform(judged.select(TABLES["visual_evidence"].schema.names()))


def _accepted_only(corpus: Corpus, candidate_pairs: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """Rows of candidate_pairs, without position, for accepted pairs that were not proposed (strategy `accepted`)."""
    missing = said.filter(pl.col("verdict") == ACCEPTED).join(candidate_pairs, on=KEY, how="anti")
    rows = missing.select(*KEY, "text_sha256").with_columns(
        strategies=pl.lit([ACCEPTED]), fused_score=pl.lit(0.0), position=pl.lit(None, pl.Int64())
    )
    return pair_features(corpus, rows).select(candidate_pairs.columns)


def _scored(pairs: pl.DataFrame, pair_scores: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with log_odds, score, scorer; a pair nobody scored has no log-odds.

    Pairs added for a person's sake are scored here where the evidence model is the scorer; a reranker's scale and the
    evidence model's are never mixed in one order.
    """
    scorers = pair_scores["scorer"].unique().sort().to_list()
    scorer = scorers[0] if len(scorers) == 1 else EVIDENCE_SCORER if not scorers else None
    scores = pair_scores.select(*KEY, "log_odds", "score", "scorer")
    scored = pairs.join(scores, on=KEY, how="left", maintain_order="left")
    if scorer == EVIDENCE_SCORER:
        added = pl.col("position").is_null()
        scored = scored.with_columns(log_odds=pl.when(added).then(log_odds(pairs)).otherwise("log_odds"))
        scored = scored.with_columns(
            score=pl.when(added).then(10 * sigmoid(pl.col("log_odds"))).otherwise("score"),
        )
    return scored.with_columns(
        scorer=pl.col("scorer").fill_null(scorer) if scorer else pl.col("scorer"),
        score=pl.when(pl.col("log_odds").is_not_null()).then("score"),
    )


def _fused(
    corpus: Corpus, scored: pl.DataFrame, parts: pl.DataFrame, calibration: Calibration
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`scored` and `parts` with the fused log-odds of passages; concepts stay as the scorer has them."""
    if wrong := set(scored["scorer"].drop_nulls()) - {calibration.scorer}:
        raise ValueError(f"this calibration is of {calibration.scorer}, the scores are of {', '.join(sorted(wrong))}")
    works = corpus.documents.select(
        "document_id", work=pl.col("path").map_elements(translation_key, return_dtype=pl.String())
    )
    rows = scored.join(works, on="document_id", how="left", maintain_order="left").with_row_index("row")
    chunks = rows.filter(text_kind="chunk").with_columns(
        counted=pl.col("position").is_not_null() & (pl.col("strategies") != [REFERENCE])
    )
    of_chunks = fused_parts(chunks, calibration)
    decisive = chunks.select("row").with_columns(decisive=fused_sum(of_chunks))
    fused = scored.with_row_index("row").update(decisive, on="row", how="left").drop("row")
    parts = parts.with_row_index("row").update(of_chunks.with_columns(chunks["row"]), on="row", how="left").drop("row")
    return _evidence_scores(fused, calibration), parts


def _evidence_scores(rows: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """Where the evidence model is the scorer, its fitted log-odds are the scores of record."""
    if not is_evidence_model(calibration.scorer):
        return rows
    return rows.with_columns(
        log_odds="decisive",
        score=10 * sigmoid(pl.col("decisive")),
        scorer=pl.lit(f"{calibration.scorer}+{calibration.name}"),
    )


def _confident(rows: pl.DataFrame, rule: KeptRule, calibration: Calibration | None) -> pl.DataFrame:
    """`rows` with confidence, its source, the calibrator and the confidence from which a pair is kept."""
    curves = calibration.curves if calibration else {}
    kind, decisive = pl.col("text_kind"), pl.col("decisive")
    by_score = pl.col("score") / 10
    confidence, least = by_score, pl.lit(rule.min_confidence)
    for name, curve in curves.items():
        confidence = pl.when(kind == name).then(sigmoid(curve.slope * decisive + curve.intercept)).otherwise(confidence)
        if curve.threshold is not None:
            least = pl.when(kind == name).then(pl.lit(curve.threshold)).otherwise(least)
    calibrated = kind.is_in(list(curves))
    known = decisive.is_not_null()
    return rows.with_columns(
        confidence=pl.when(known).then(confidence),
        confidence_source=pl.when(known).then(
            pl.when(calibrated).then(pl.lit("calibrated")).otherwise(pl.lit("score"))
        ),
        calibrator=pl.when(known & calibrated).then(pl.lit(calibration.name if calibration else None, pl.String())),
        min_confidence=least,
    )


def _contribution_list(parts: pl.DataFrame) -> pl.Series:
    """What each part adds to the evidence log-odds, parts that add nothing left out."""
    values = np.nan_to_num(parts.select(pl.all().fill_null(0.0)).to_numpy())
    rows, columns = np.nonzero(values)
    names = pl.Series(parts.columns).gather(columns)
    structs = pl.DataFrame({"name": names, "value": values[rows, columns]}).to_struct("contributions")
    ends = np.cumsum(np.bincount(rows, minlength=len(parts)))
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    return pl.Series("contributions", pa.LargeListArray.from_arrays(offsets, structs.to_arrow()))


def _best_chunk(corpus: Corpus, texts: pl.DataFrame) -> pl.Series:
    """For a passage itself; for a concept the image's best passage that mentions it."""
    mentioning = (
        texts.filter(pl.col("text_kind") == "chunk")
        .select("image_id", "decisive", "position", chunk_id="text_id")
        .join(corpus.concept_mentions.select("chunk_id", "concept_id").unique(), on="chunk_id")
        .sort(["decisive", "position", "chunk_id"], descending=[True, False, False], nulls_last=True)
        .unique(["image_id", "concept_id"], keep="first", maintain_order=True)
        .select("image_id", text_id="concept_id", mentioned_in="chunk_id")
    )
    joined = texts.select(*KEY).join(mentioning, on=["image_id", "text_id"], how="left", maintain_order="left")
    return joined.select(
        best_chunk_id=pl.when(pl.col("text_kind") == "chunk").then("text_id").otherwise("mentioned_in")
    ).to_series()


def _documents(texts: pl.DataFrame, calibration: Calibration | None) -> pl.DataFrame:
    """One row per image and document: its best passage, rejected passages last; see `judge` for what it is worth."""
    rejected = pl.col("verdict").eq(REJECTED).fill_null(False)
    accepted = pl.col("verdict").eq(ACCEPTED).any()
    all_rejected = pl.col("rejected").all()
    best = (
        texts.filter(pl.col("text_kind") == "chunk")
        .with_columns(rejected=rejected)
        .sort(
            ["image_id", "document_id", "rejected", "decisive", "position", "text_id"],
            descending=[False, False, False, True, False, False],
            nulls_last=True,
        )
        .group_by("image_id", "document_id", maintain_order=True)
        .agg(
            pl.all().exclude("strategies", "verdict", "by", "rejected").first(),
            pl.col("strategies").explode().unique().sort(),
            verdict=pl.when(accepted).then(pl.lit(ACCEPTED)).when(all_rejected).then(pl.lit(REJECTED)),
            by=pl.when(accepted)
            .then(pl.col("by").filter(pl.col("verdict") == ACCEPTED).first())
            .when(all_rejected)
            .then(pl.col("by").first()),
            together=any_of(pl.when(all_rejected | ~pl.col("rejected")).then("decisive")).round(9),
        )
        .with_columns(text_kind=pl.lit("document"), text_id="document_id")
    )
    if calibration:
        return _evidence_scores(_worth(best, pl.col("together").round(9)), calibration).drop("together")
    return _as_shipped(best.drop("together"))


def _as_shipped(documents: pl.DataFrame) -> pl.DataFrame:
    """Documents for what their best passage says of them; how a reranker's scores speak of documents is not known."""
    by_evidence, said = pl.col("scorer") == EVIDENCE_SCORER, DOCUMENT_INTERCEPT + DOCUMENT_SCALE * pl.col("decisive")
    of_evidence = _worth(documents.filter(by_evidence), said.round(6))
    scored = of_evidence.with_columns(log_odds="decisive", score=10 * sigmoid(pl.col("decisive")))
    return pl.concat([scored, documents.filter(by_evidence.not_() | pl.col("scorer").is_null())])


def _worth(documents: pl.DataFrame, together: pl.Expr) -> pl.DataFrame:
    """Documents at these log-odds; the best passage's contributions, and as one more what the log-odds differ by."""
    worth = pl.when(pl.col("decisive").is_not_null()).then(together)
    rest = pl.struct(name=pl.lit("other_passages"), value=(worth - pl.col("decisive")).round(6))
    added = pl.col("contributions").list.concat(pl.concat_list(rest))
    return documents.with_columns(contributions=added, decisive=worth)


def _explained(ranked: pl.DataFrame, corpus: Corpus, rule: KeptRule) -> pl.DataFrame:
    """`ranked` with type, kept, reason."""
    decorative = corpus.images.filter(pl.col("role") == "decorative").select(
        "image_id", decorative_reason=pl.col("decorative_reason").fill_null("by its role")
    )
    rows = ranked.join(decorative, on="image_id", how="left", maintain_order="left")
    by_rule = (
        (pl.col("confidence") >= pl.col("min_confidence"))
        & (pl.col("rank") <= rule.max_rank)
        & pl.col("decorative_reason").is_null()
    )
    return rows.with_columns(
        type=pl.when(pl.col("text_kind") == "concept")
        .then(pl.lit("ILLUSTRATES"))
        .otherwise(pl.lit("HAS_VISUAL_EVIDENCE")),
        kept=pl.when(pl.col("verdict") == ACCEPTED)
        .then(pl.lit(True))
        .when(pl.col("verdict") == REJECTED)
        .then(pl.lit(False))
        .otherwise(by_rule.fill_null(False)),
        reason=reason(rule),
    )
