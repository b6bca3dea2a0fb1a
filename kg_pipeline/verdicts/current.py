"""What people said, found again in today's texts: bound to document and text, so that it outlives re-chunking."""

from collections.abc import Mapping

import polars as pl

from kg_pipeline.concepts import concept_texts
from kg_pipeline.tables import TABLES

ACCEPTED, REJECTED = "accepted", "rejected"
WITHDRAWN = "withdrawn"
"""Said of a pair whose verdict shall count no more; never stands in the table."""

VERDICT_KEY = ["image_id", "text_kind", "text_id"]
"""What a verdict holds for today."""

JUDGED_TABLES = ("documents", "chunks", "concepts", "images")
"""The tables that say which verdicts still hold."""

_PAIR = list(TABLES["verdicts"].key)
_TEXT = ["image_id", "text_kind", "text_sha256"]


def current_verdicts(verdicts: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """image_id, text_kind, text_id, text_sha256, verdict, by, at of the verdicts whose image and text still exist.

    One row per image and text; where several hold, e.g. one of before and one of after a document was moved, the
    newest counts.
    """
    return (
        resolved(verdicts, tables)
        .sort([*VERDICT_KEY, "at", "document_id"], descending=[False, False, False, True, False])
        .unique(VERDICT_KEY, keep="first", maintain_order=True)
        .select(*VERDICT_KEY, "text_sha256", "verdict", "by", "at")
    )


def resolved(verdicts: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of table verdicts with the `text_id` of every text they hold for; without those that hold for none.

    A document that was moved or renamed has another id. A verdict on a passage of a document that is gone therefore
    holds where exactly one document of the collection has that text now; with two there is no telling which is meant.
    """
    known = verdicts.join(tables["images"], on="image_id", how="semi")
    passages = tables["chunks"].select("document_id", "text_sha256", text_id="chunk_id")
    of_passages = known.filter(pl.col("text_kind") == "chunk")
    in_place = of_passages.join(passages, on=["document_id", "text_sha256"])
    gone = of_passages.join(tables["documents"], on="document_id", how="anti")
    only_there = passages.filter(pl.col("document_id").n_unique().over("text_sha256") == 1)
    moved = gone.join(only_there.drop("document_id"), on="text_sha256")
    concepts = concept_texts(tables["concepts"]).select("text_sha256", document_id="concept_id")
    of_concepts = known.filter(pl.col("text_kind") == "concept").join(concepts, on=["document_id", "text_sha256"])
    columns = [*verdicts.columns, "text_id"]
    of_concepts = of_concepts.with_columns(text_id="document_id")
    return pl.concat([frame.select(columns) for frame in (in_place, moved, of_concepts)]).sort([*_PAIR, "text_id"])


def count_verdicts(verdicts: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> dict[str, int]:
    """How many verdicts accept, reject, or hold for nothing any more because their image or text is gone."""
    holding = verdicts.join(resolved(verdicts, tables), on=_PAIR, how="semi")["verdict"]
    return {
        ACCEPTED: int((holding == ACCEPTED).sum()),
        REJECTED: int((holding == REJECTED).sum()),
        "not_applicable": len(verdicts) - len(holding),
    }


def merged(known: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Table verdicts `known` with what was `found` elsewhere (rows like it, `verdict` may be WITHDRAWN): newer wins.

    Saying the same again changes nothing. A withdrawal that meets no row of its document withdraws what was said of
    the same image and text in a document that has been moved since.
    """
    before = known.select(*_PAIR, said="verdict", said_at="at")
    compared = found.join(before, on=_PAIR, how="left")
    news = compared.filter(
        pl.col("verdict") != WITHDRAWN,
        pl.col("said").is_null() | ((pl.col("said") != pl.col("verdict")) & (pl.col("at") >= pl.col("said_at"))),
    ).select(known.columns)
    kept = known.join(news, on=_PAIR, how="anti")
    withdrawn = compared.filter(pl.col("verdict") == WITHDRAWN)
    kept = _without(kept, withdrawn.filter(pl.col("said").is_not_null()), _PAIR)
    kept = _without(kept, withdrawn.filter(pl.col("said").is_null()), _TEXT)
    return TABLES["verdicts"].conform(pl.concat([kept, news]))


def _without(verdicts: pl.DataFrame, withdrawn: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    latest = withdrawn.group_by(on).agg(withdrawn_at=pl.col("at").max())
    marked = verdicts.join(latest, on=on, how="left", maintain_order="left")
    outlives = pl.col("withdrawn_at").is_null() | (pl.col("at") > pl.col("withdrawn_at"))
    return marked.filter(outlives).drop("withdrawn_at")
