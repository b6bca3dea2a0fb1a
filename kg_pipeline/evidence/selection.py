"""The candidate pairs: what blocking proposes, cut to the best by the evidence model."""

import math
from typing import NamedTuple

import polars as pl

from kg_pipeline.candidates import Blocking, Corpus, Diagnostics, block, named
from kg_pipeline.candidates.fusion import BIT, REFERENCE
from kg_pipeline.candidates.shortlist import Shortlist
from kg_pipeline.concepts import concept_texts
from kg_pipeline.config import Collection
from kg_pipeline.evidence.features import DIGITS, KEY, concept_features, passage_features, with_struct
from kg_pipeline.evidence.model import PASSAGE, RIVALS, log_odds
from kg_pipeline.evidence.rivals import Rivals
from kg_pipeline.tables import TABLES


class Candidates(NamedTuple):
    """Table candidate_pairs, and what blocking and the cut did."""

    pairs: pl.DataFrame
    diagnostics: Diagnostics


def select_candidates(collection: Collection, corpus: Corpus) -> Candidates:
    """Per image and text kind the best `scoring.candidates` of what blocking proposes, and all reference pairs."""
    limit = collection.scoring.candidates
    blocking = block(collection, corpus, _Examination(corpus, limit))
    chunks = _best_chunks(blocking, limit)
    concepts = _best_concepts(blocking, limit)
    cut: dict[str, int | float] = {
        "pairs": len(chunks) + len(concepts),
        "cut_by_evidence": len(blocking.passages) + len(blocking.concepts) - len(chunks) - len(concepts),
    }
    kept = pl.concat([chunks, concepts.select(chunks.columns)]).join(
        text_hashes(corpus), on=["text_kind", "text_id"], how="left"
    )
    return Candidates(TABLES["candidate_pairs"].conform(kept), {**blocking.diagnostics, "selected": cut})


class _Examination:
    """Features and log-odds while scores are at hand; kept of those pairs that may be among the best."""

    def __init__(self, corpus: Corpus, limit: int) -> None:
        self._rivals, self._limit = Rivals(corpus), limit
        self._concepts = not corpus.concepts.is_empty()

    def __call__(self, shortlist: Shortlist, pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        rows, columns = pairs["row"].to_numpy(), pairs["column"].to_numpy()
        values = passage_features(shortlist, rows, columns, self._rivals)
        featured = with_struct(pl.DataFrame(values).with_columns(text_kind=pl.lit("chunk")))
        # Without its last digits a feature is the same once it is rounded again, and half as large; `rivals` has more.
        narrow = [
            pl.Series(name, cells, pl.Float64() if name == RIVALS else pl.Float32()) for name, cells in values.items()
        ]
        scored = pairs.with_columns(log_odds(featured), *narrow)
        wanted = _may_be_best(shortlist.corpus, scored, self._limit)
        of_every_pair = [*pairs.columns, "log_odds"] if self._concepts else pairs.columns
        return scored.select(of_every_pair), wanted.drop("row", "column", "by_image")


def _may_be_best(corpus: Corpus, pairs: pl.DataFrame, limit: int) -> pl.DataFrame:
    """References, the `limit` best that survive the cap of their image, and others that are better than the last."""
    order = pl.Series("order", corpus.fields.chunk_order[pairs["text"].to_numpy()])
    ranked = (
        pairs.with_columns(order)
        .sort("image", "by_image", "log_odds", "fused_score", "order", descending=[False, True, True, True, False])
        .with_columns(nth=pl.int_range(1, pl.len() + 1).over("image", "by_image"))
    )
    last = ranked.filter(pl.col("by_image") & (pl.col("nth") == limit)).select("image", last="log_odds")
    better = pl.col("log_odds") >= pl.col("last").fill_null(-math.inf)
    is_reference = (pl.col("strategies") & BIT[REFERENCE]) > 0
    return (
        ranked.join(last, on="image", how="left", maintain_order="left")
        .filter(is_reference | (pl.col("by_image") & (pl.col("nth") <= limit)) | (~pl.col("by_image") & better))
        .drop("nth", "last")
    )


def _best_chunks(blocking: Blocking, limit: int) -> pl.DataFrame:
    """The rows of candidate_pairs without the hash, in order."""
    kept = (
        blocking.details.sort("image", "log_odds", "fused_score", "order", descending=[False, True, True, False])
        .with_columns(nth=pl.int_range(1, pl.len() + 1).over("image"))
        .filter((pl.col("nth") <= limit) | ((pl.col("strategies") & BIT[REFERENCE]) > 0))
        .with_columns(position=pl.int_range(1, pl.len() + 1).over("image"))
        .drop("log_odds", "nth", "order")
        .with_columns(pl.col(list(PASSAGE.weights)).cast(pl.Float64).round(DIGITS))
    )
    return with_struct(named(blocking.corpus, kept))


def _best_concepts(blocking: Blocking, limit: int) -> pl.DataFrame:
    """The same for concepts."""
    claims = pl.DataFrame(schema={"image_id": pl.String(), "chunk_id": pl.String(), "log_odds": pl.Float64()})
    if "log_odds" in blocking.passages.columns:
        fields = blocking.corpus.fields
        claims = blocking.passages.select(
            fields.image_ids.gather(blocking.passages["image"]).alias("image_id"),
            fields.chunk_ids.gather(blocking.passages["text"]).alias("chunk_id"),
            "log_odds",
        )
    featured = with_struct(concept_features(blocking.corpus, blocking.concepts.sort(KEY), claims))
    return (
        featured.with_columns(log_odds(featured))
        .sort("image_id", "log_odds", "fused_score", "text_id", descending=[False, True, True, False])
        .with_columns(position=pl.int_range(1, pl.len() + 1).over("image_id"))
        .filter(pl.col("position") <= limit)
        .drop("log_odds")
    )


def text_hashes(corpus: Corpus) -> pl.DataFrame:
    """text_kind, text_id, text_sha256 of every text that can be scored."""
    chunks = corpus.chunks.select(pl.lit("chunk").alias("text_kind"), text_id="chunk_id", text_sha256="text_sha256")
    concepts = concept_texts(corpus.concepts).select(
        pl.lit("concept").alias("text_kind"), text_id="concept_id", text_sha256="text_sha256"
    )
    return pl.concat([chunks, concepts])
