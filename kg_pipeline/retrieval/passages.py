"""Plain search over passages: what a source of passages does, and the one over a HOME's tables."""

from collections.abc import Mapping
from typing import Literal, Protocol, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kg_pipeline.embedding import Embedder
from kg_pipeline.retrieval.hits import Hit, Picture, with_pictures
from kg_pipeline.retrieval.ordering import Scored
from kg_pipeline.retrieval.shown import Tables, pictures_from, pictures_of_passages
from kg_pipeline.retrieval.word_index import WordIndex

By = Literal["words", "meaning", "both"]
WAYS: tuple[By, ...] = get_args(By)
"""What finds passages: full text, vectors, or both put together."""

READABLE = ("ok", "stale")


class Passages(Protocol):
    """Passages that can be searched."""

    @property
    def ways(self) -> tuple[By, ...]:
        """How they can be searched, the best way last."""

    def by_words(self, question: str, depth: int) -> Scored:
        """At most `depth` chunk ids with their full-text score (> 0), best first; ties in the order of chunk_id."""

    def by_meaning(self, question: str, depth: int) -> Scored:
        """The same by the cosine of vectors; only where `ways` has it. Raises EmbeddingError."""

    def hits(self, found: Scored) -> list[Hit]:
        """The passages with their pictures, in the order given, the score as their relevance."""


class TablePassages:
    """The passages of collections of a HOME: the pipeline's own BM25, and exact cosines where vectors are known."""

    def __init__(self, tables: Mapping[str, Tables], embedder: Embedder | None = None) -> None:
        """`tables` by collection, then by name: SHOWN_TABLES, and `embeddings` with an `embedder` for questions."""
        rows = [passage_rows(name, each) for name, each in tables.items()]
        self._rows = pl.concat(rows) if rows else pl.DataFrame()
        self._index = WordIndex(self._rows)
        self._embedder = embedder
        self._vectors = _vectors(self._rows, tables) if embedder else None
        self._pictures: dict[str, list[Picture]] = {}
        for each in tables.values():
            for key, shown in pictures_of_passages(each).partition_by("chunk_id", as_dict=True).items():
                self._pictures[str(key[0])] = pictures_from(shown.iter_rows(named=True))

    @property
    def ways(self) -> tuple[By, ...]:
        """See Passages."""
        return WAYS if self._vectors is not None else ("words",)

    def by_words(self, question: str, depth: int) -> Scored:
        """See Passages."""
        scores = self._index.scores(question)
        return self._best(scores, np.flatnonzero(scores > 0), depth)

    def by_meaning(self, question: str, depth: int) -> Scored:
        """See Passages."""
        assert self._embedder is not None
        assert self._vectors is not None
        cosines = self._vectors @ self._embedder.embed([question])[0].astype(np.float64)
        return self._best(cosines, np.flatnonzero(~np.isnan(cosines)), depth)

    def hits(self, found: Scored) -> list[Hit]:
        """See Passages."""
        wanted = pl.DataFrame(
            {"chunk_id": [chunk for chunk, _ in found], "relevance": [score for _, score in found]},
            schema={"chunk_id": pl.String(), "relevance": pl.Float64()},
        )
        rows = wanted.join(self._rows.drop("headings", "text_sha256"), on="chunk_id", maintain_order="left")
        return [
            with_pictures(Hit(**row), self._pictures.get(row["chunk_id"], ())) for row in rows.iter_rows(named=True)
        ]

    def _best(self, scores: NDArray[np.float64], among: NDArray[np.int64], depth: int) -> Scored:
        # Rows are in the order of chunk_id, so that a stable sort leaves ties in it.
        order = among[np.argsort(-scores[among], kind="stable")][:depth]
        ids = self._rows["chunk_id"].gather(order).to_list()
        return list(zip(ids, scores[order].tolist(), strict=True))


def passage_rows(collection: str, tables: Tables) -> pl.DataFrame:
    """Rows in the order of chunk_id, with the fields of a Hit but its score, and headings, text_sha256."""
    documents = tables["documents"].filter(pl.col("status").is_in(READABLE) & (pl.col("format") != "folder"))
    heading = pl.col("heading_path").list.join(" > ", ignore_nulls=True)
    return (
        tables["chunks"]
        .join(documents.select("document_id", "title", document="path", document_uri="uri"), on="document_id")
        .select(
            "chunk_id",
            "document",
            "title",
            "document_uri",
            "page",
            "text",
            "text_sha256",
            collection=pl.lit(collection),
            heading=pl.when(heading != "").then(heading),
            headings=pl.col("heading_path").list.join(" ", ignore_nulls=True),
            line="line_start",
            line_end="line_end",
        )
        .sort("chunk_id")
    )


def _vectors(passages: pl.DataFrame, tables: Mapping[str, Tables]) -> NDArray[np.float64] | None:
    """A row per passage, NaN where there is no vector; None when there are none, or of several models."""
    known = pl.concat([each["embeddings"] for each in tables.values() if "embeddings" in each])
    known = known.drop_nulls("vector")
    if known.is_empty() or known["embedder"].n_unique() > 1:
        return None
    size = int(known["vector"].list.len().max() or 0)  # type: ignore[arg-type]
    distinct = known.unique("text_sha256", keep="first", maintain_order=True)
    vectors = passages.select("text_sha256").join(distinct, on="text_sha256", how="left", maintain_order="left")[
        "vector"
    ]
    return np.array([vector if vector is not None else [np.nan] * size for vector in vectors.to_list()], np.float64)
