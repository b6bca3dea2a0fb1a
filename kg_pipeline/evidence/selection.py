"""The candidate pairs: what blocking proposes, cut to the best by the evidence model."""

import math
from typing import NamedTuple

import polars as pl

from kg_pipeline.candidates import Blocking, Corpus, Diagnostics, block, named
from kg_pipeline.candidates.fusion import BIT, REFERENCE
from kg_pipeline.candidates.shortlist import Shortlist
from kg_pipeline.candidates.sparse import Integers
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


def select_candidates(collection: Collection, corpus: Corpus, last_use: bool = False) -> Candidates:
    """Per image and text kind the best `scoring.candidates` of what blocking proposes, and all reference pairs.

    On its `last_use` the corpus gives back texts and scores as early as it can, and is of no use afterwards.
    """
    limit = collection.scoring.candidates
    blocking = block(collection, corpus, _Examination(corpus, limit), last_use)
    concepts = _best_concepts(blocking, limit)
    pairs = pl.concat(_of_block(blocking, *each, concepts, limit) for each in blocking.details)
    proposed = blocking.diagnostics["total"]["pairs"]
    cut: dict[str, int | float] = {"pairs": len(pairs), "cut_by_evidence": proposed - len(pairs)}
    return Candidates(pairs, {**blocking.diagnostics, "selected": cut})


def _of_block(
    blocking: Blocking, images: Integers, details: pl.DataFrame, concepts: pl.DataFrame, limit: int
) -> pl.DataFrame:
    """The rows of candidate_pairs of some pictures, sorted; blocks of ascending pictures make the table."""
    chunks = _best_chunks(blocking, details, limit)
    if len(concepts):
        ids = blocking.corpus.fields.image_ids.gather(images).to_frame("image_id")
        chunks = pl.concat([chunks, concepts.join(ids, on="image_id", how="semi").select(chunks.columns)])
    return TABLES["candidate_pairs"].conform(chunks)


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


def _best_chunks(blocking: Blocking, details: pl.DataFrame, limit: int) -> pl.DataFrame:
    """The rows of candidate_pairs, in order."""
    kept = (
        details.sort("image", "log_odds", "fused_score", "order", descending=[False, True, True, False])
        .with_columns(nth=pl.int_range(1, pl.len() + 1).over("image"))
        .filter((pl.col("nth") <= limit) | ((pl.col("strategies") & BIT[REFERENCE]) > 0))
        .with_columns(position=pl.int_range(1, pl.len() + 1).over("image"))
        .drop("log_odds", "nth", "order")
        .with_columns(pl.col(list(PASSAGE.weights)).cast(pl.Float64).round(DIGITS))
    )
    hashes = blocking.corpus.fields.chunk_hashes.gather(kept["text"]).alias("text_sha256")
    return with_struct(named(blocking.corpus, kept.with_columns(hashes)))


def _best_concepts(blocking: Blocking, limit: int) -> pl.DataFrame:
    """The same for concepts."""
    hashes = concept_texts(blocking.corpus.concepts).select(text_id="concept_id", text_sha256="text_sha256")
    claims = pl.DataFrame(schema={"image_id": pl.String(), "chunk_id": pl.String(), "log_odds": pl.Float64()})
    if not blocking.corpus.concepts.is_empty():
        fields, passages = blocking.corpus.fields, blocking.passages
        claims = passages.select(
            fields.image_ids.gather(passages["image"]).alias("image_id"),
            fields.chunk_ids.gather(passages["text"]).alias("chunk_id"),
            "log_odds",
        )
    featured = with_struct(concept_features(blocking.corpus, blocking.concepts.sort(KEY), claims))
    return (
        featured.with_columns(log_odds(featured))
        .sort("image_id", "log_odds", "fused_score", "text_id", descending=[False, True, True, False])
        .with_columns(position=pl.int_range(1, pl.len() + 1).over("image_id"))
        .filter(pl.col("position") <= limit)
        .drop("log_odds")
        .join(hashes, on="text_id", how="left")
    )
