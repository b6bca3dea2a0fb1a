"""Lists that a person browses: pictures, passages and orphans of a collection; filtered, ordered, a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kg_pipeline.evidence.reasons import FINDINGS, NOTHING
from kg_pipeline.verdicts import ACCEPTED, REJECTED

PICTURE_STATUSES = ("used", "unused", "kept", "not_kept", "decorative", ACCEPTED, REJECTED)
PASSAGE_STATUSES = ("illustrated", "gap", "kept", "not_kept", ACCEPTED, REJECTED)
ORPHAN_STATUSES = ("open", "judged", ACCEPTED, REJECTED)
ORDERS = ("strongest", "weakest", "path")
FINDING_NAMES = (*FINDINGS, NOTHING)
"""What may speak most for a pair: the first thing that its reason says."""

FIRST_FINDING = r"— ([^,;(]+?)(?:,| \(|;|$)"
ORPHAN_REASONS = ("unreferenced_matched", "unmatched", "duplicate", "decorative", "unreadable")
"""In the order of the queue: first what can be decided."""

LEADING_COLUMNS = (
    "image_id", "text_id", "confidence", "score", "rank", "margin_points", "image_rank", "kept", "reason",
)  # fmt: skip

Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to. `search`: words that all stand in paths or texts, whatever their case."""

    search: str = ""
    min_confidence: float = 0.0
    max_confidence: float = 1.0
    reason: str | None = None
    status: str | None = None
    order: str = "strongest"

    @property
    def words(self) -> list[str]:
        """Lower-case words of the search."""
        return self.search.lower().split()


@dataclass(frozen=True)
class Slice:
    """One page of a list, the number of all rows that the filters let through, and its first row's place from 0."""

    rows: pl.DataFrame
    total: int
    offset: int


def picture_index(tables: Tables) -> pl.DataFrame:
    """One row per picture: what it is, whether a document uses it, its best passage, and text to search in.

    `tables`: images, image_files, image_texts, references, leading_pairs. Columns: image_id, path, width, height,
    format, role, used, kept (number of passages), confidence, score, text_id (of the best passage), finding, search.
    """
    used = tables["references"].filter(pl.col("status") == "ok").select("image_id", used=pl.lit(True)).unique()
    paths = (
        tables["image_files"].drop_nulls("image_id").group_by("image_id").agg(pl.col("path").sort().alias("searched"))
    )
    texts = tables["image_texts"].group_by("image_id").agg(pl.col("text"))
    return (
        tables["images"]
        .select("image_id", "path", "width", "height", "format", "role")
        .join(used, on="image_id", how="left")
        .join(_best_pairs(tables["leading_pairs"], "image_id", "rank"), on="image_id", how="left")
        .join(paths, on="image_id", how="left")
        .join(texts, on="image_id", how="left")
        .with_columns(
            pl.col("used").fill_null(False),
            pl.col("kept").fill_null(0),
            search=pl.concat_list(pl.col("searched").fill_null([]), pl.col("text").fill_null([]))
            .list.join("\n")
            .str.to_lowercase(),
        )
        .drop("searched", "text")
        .sort("path")
    )


def passage_index(tables: Tables) -> pl.DataFrame:
    """One row per passage, in the order of documents and passages, with its best picture.

    `tables`: chunks (chunk_id, document_id, index), documents, references, leading_pairs. Columns: chunk_id, path,
    index, shown (pictures that the document embeds there), kept (number of pictures), confidence, score, image_id (of
    the best picture), finding.
    """
    shown = (
        tables["references"]
        .filter(pl.col("status") == "ok")
        .group_by("chunk_id")
        .agg(shown=pl.col("image_id").n_unique())
    )
    return (
        tables["chunks"]
        .select("chunk_id", "document_id", "index")
        .join(tables["documents"].select("document_id", "path"), on="document_id", how="left")
        .join(shown, on="chunk_id", how="left")
        .join(
            _best_pairs(tables["leading_pairs"], "text_id", "image_rank"),
            left_on="chunk_id",
            right_on="text_id",
            how="left",
        )
        .with_columns(pl.col("shown", "kept").fill_null(0))
        .drop("document_id")
        .sort("path", "index")
    )


def orphan_queue(tables: Tables) -> pl.DataFrame:
    """The orphan report in the order to work through it.

    `tables`: orphan_images, image_files, leading_pairs. The best suggestions come first, then what no passage wants,
    then what there is nothing to decide about. Columns of orphan_images, `decidable` (there is a passage to say yes or
    no to), finding, margin_points, error, place (0…).
    """
    order = pl.col("reason").replace_strict({name: n for n, name in enumerate(ORPHAN_REASONS)}, return_dtype=pl.Int64)
    pairs = tables["leading_pairs"].select("image_id", "margin_points", finding=_finding(), best_chunk_id="text_id")
    return (
        tables["orphan_images"]
        .join(pairs, on=["image_id", "best_chunk_id"], how="left")
        .join(tables["image_files"].select("path", "error"), on="path", how="left")
        .with_columns(decidable=pl.col("image_id").is_not_null() & pl.col("best_chunk_id").is_not_null())
        .sort(
            order,
            "suggestion_rank",
            pl.col("confidence").fill_null(0),
            "path",
            descending=[False, False, True, False],
            nulls_last=True,
        )
        .with_row_index("place")
    )


def leading_pairs(evidence: pl.LazyFrame) -> pl.DataFrame:
    """Of table visual_evidence what the lists need: pairs with passages that are kept, or the best of either side."""
    leads = pl.col("kept") | (pl.col("rank") == 1) | (pl.col("image_rank") == 1)
    return evidence.filter(pl.col("text_kind") == "chunk", leads).select(LEADING_COLUMNS).collect()


def judged(index: pl.DataFrame, verdicts: pl.DataFrame, column: str) -> pl.DataFrame:
    """`index` with `accepted` and `rejected`: whether a verdict that holds today says so of its picture or passage.

    `column`: image_id or chunk_id. `verdicts` as from current_verdicts.
    """
    said = verdicts if column == "image_id" else verdicts.filter(text_kind="chunk").rename({"text_id": "chunk_id"})
    words = said.group_by(column).agg((pl.col("verdict") == word).any().alias(word) for word in (ACCEPTED, REJECTED))
    joined = index.join(words, on=column, how="left", maintain_order="left")
    return joined.with_columns(pl.col(ACCEPTED, REJECTED).fill_null(False))


def judged_suggestions(queue: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """`queue` with `verdict` and `by` of each suggestion that was judged; null while it is open."""
    said = verdicts.filter(text_kind="chunk").select("image_id", "verdict", "by", best_chunk_id="text_id")
    return queue.join(said, on=["image_id", "best_chunk_id"], how="left", maintain_order="left")


def pictures_page(index: pl.DataFrame, filters: Filters, offset: int, limit: int) -> Slice:
    """A page of `picture_index`, judged. `status` is one of PICTURE_STATUSES, `reason` one of FINDING_NAMES."""
    fits = _fits(filters, _PICTURE_STATUS) & _contains(filters.words, pl.col("search"))
    return _slice(index.filter(fits).drop("search"), filters, ["path"], offset, limit)


def passages_page(index: pl.DataFrame, found: pl.DataFrame | None, filters: Filters, offset: int, limit: int) -> Slice:
    """A page of `passage_index`, judged. `found`: chunk_id of the passages that hold the words; None: all."""
    rows = index if found is None else index.join(found, on="chunk_id", how="semi", maintain_order="left")
    return _slice(rows.filter(_fits(filters, _PASSAGE_STATUS)), filters, ["path", "index"], offset, limit)


def orphans_page(queue: pl.DataFrame, filters: Filters, offset: int, limit: int) -> Slice:
    """A page of `orphan_queue`, judged; `reason` is one of ORPHAN_REASONS, `status` one of ORPHAN_STATUSES."""
    places = pl.concat_str("path", pl.col("best_document_path").fill_null(""), separator="\n").str.to_lowercase()
    rows = queue.filter(
        _confident(filters)
        & _contains(filters.words, places)
        & (pl.lit(True) if filters.reason is None else pl.col("reason") == filters.reason)
        & (pl.lit(True) if filters.status is None else _ORPHAN_STATUS[filters.status])
    )
    return Slice(rows.slice(offset, limit), rows.height, offset)


def search_passages(chunks: pl.LazyFrame, documents: pl.DataFrame, words: list[str]) -> pl.DataFrame:
    """chunk_id of the passages in whose text, headings or document path all words stand."""
    text = pl.concat_str(
        pl.col("path").fill_null(""), pl.col("heading_path").list.join("\n"), pl.col("text"), separator="\n"
    ).str.to_lowercase()
    return (
        chunks.join(documents.lazy().select("document_id", "path"), on="document_id", how="left")
        .filter(_contains(words, text))
        .select("chunk_id")
        .collect()
    )


# What each status lets through.
_PICTURE_STATUS = {
    "used": pl.col("used"),
    "unused": ~pl.col("used"),
    "kept": pl.col("kept") > 0,
    "not_kept": pl.col("kept") == 0,
    "decorative": pl.col("role") == "decorative",
    ACCEPTED: pl.col(ACCEPTED),
    REJECTED: pl.col(REJECTED),
}
_PASSAGE_STATUS = {
    "illustrated": pl.col("shown") > 0,
    "gap": (pl.col("shown") == 0) & (pl.col("kept") > 0),
    "kept": pl.col("kept") > 0,
    "not_kept": pl.col("kept") == 0,
    ACCEPTED: pl.col(ACCEPTED),
    REJECTED: pl.col(REJECTED),
}
_ORPHAN_STATUS = {
    "open": pl.col("decidable") & pl.col("verdict").is_null(),
    "judged": pl.col("verdict").is_not_null(),
    ACCEPTED: pl.col("verdict") == ACCEPTED,
    REJECTED: pl.col("verdict") == REJECTED,
}


def _finding() -> pl.Expr:
    return pl.col("reason").str.extract(FIRST_FINDING)


def _best_pairs(pairs: pl.DataFrame, side: str, rank: str) -> pl.DataFrame:
    """Per picture or passage: number of kept pairs; confidence, score, other side, finding of the best one."""
    other = "text_id" if side == "image_id" else "image_id"
    best = (pl.col(name).sort_by(~pl.col("kept"), rank, other, nulls_last=True).first() for name in
            ("confidence", "score", other, "finding"))  # fmt: skip
    return (
        pairs.with_columns(finding=_finding())
        .group_by(side)
        .agg(pl.col("kept").sum().cast(pl.Int64).alias("kept"), *best)
    )


def _contains(words: list[str], text: pl.Expr) -> pl.Expr:
    return pl.all_horizontal([pl.lit(True), *(text.str.contains(word, literal=True) for word in words)])


def _confident(filters: Filters) -> pl.Expr:
    confidence = pl.col("confidence").fill_null(0.0)
    return (confidence >= filters.min_confidence) & (confidence <= filters.max_confidence)


def _fits(filters: Filters, statuses: Mapping[str, pl.Expr]) -> pl.Expr:
    reason = pl.lit(True) if filters.reason is None else pl.col("finding") == filters.reason
    status = pl.lit(True) if filters.status is None else statuses[filters.status]
    return _confident(filters) & reason.fill_null(False) & status


def _slice(rows: pl.DataFrame, filters: Filters, path: list[str], offset: int, limit: int) -> Slice:
    if filters.order != "path":
        strongest = filters.order == "strongest"
        rows = rows.sort("confidence", *path, descending=[strongest, *(False for _ in path)], nulls_last=True)
    return Slice(rows.slice(offset, limit), rows.height, offset)
