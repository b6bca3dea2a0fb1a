"""The search as a retriever of neo4j-graphrag, for its GraphRAG and its agents. Needs `neo4j-graphrag`."""

from collections.abc import Callable, Sequence

import neo4j
import numpy as np
from neo4j_graphrag.embeddings import Embedder as GraphragEmbedder
from neo4j_graphrag.retrievers.base import Retriever
from neo4j_graphrag.types import RawSearchResult, RetrieverResultItem

from kg_pipeline.embedding import Vectors
from kg_pipeline.graph import Connection, Names
from kg_pipeline.retrieval.graph_passages import GraphPassages
from kg_pipeline.retrieval.ordering import DEFAULT_WEIGHT
from kg_pipeline.retrieval.passages import By
from kg_pipeline.retrieval.searching import search
from kg_pipeline.retrieval.telling import told

RETRY_SECONDS = 30.0


class IllustratedRetriever(Retriever):
    """Passages by full text, vectors or both, those with visual evidence first; each brings its pictures.

    The content of an item is the passage followed by its pictures, for a language model to quote; metadata holds both
    apart: chunk_id, document, line, heading, score, relevance, visual, pictures (uri, caption, confidence, …).
    """

    def __init__(
        self,
        driver: neo4j.Driver,
        embedder: GraphragEmbedder | None = None,
        *,
        collections: Sequence[str] | None = None,
        weight: float = DEFAULT_WEIGHT,
        by: By | None = None,
        result_formatter: Callable[[neo4j.Record], RetrieverResultItem] | None = None,
        neo4j_database: str | None = None,
        names: Names | None = None,
    ) -> None:
        """`embedder`: the model of the passages' vectors; without one, full text alone. `names`: of renamed labels.

        Raises RetrievalError when the server has no full-text index of passages.
        """
        super().__init__(driver, neo4j_database)
        self.weight, self.by = weight, by
        self.result_formatter = result_formatter or _item
        address = "the driver's server"
        connection = Connection(driver, neo4j_database, address, address, RETRY_SECONDS, names or Names())
        self._passages = GraphPassages(connection, collections, _Questions(embedder) if embedder else None)

    def get_search_results(
        self, query_text: str, top_k: int = 5, weight: float | None = None, by: By | None = None
    ) -> RawSearchResult:
        """Search for passages and their pictures.

        Args:
            query_text: words or a question.
            top_k: number of passages.
            weight: how much pictures count, 0 not at all; the retriever's own by default.
            by: "words", "meaning" or "both"; the retriever's own by default.

        """
        weight = self.weight if weight is None else weight
        hits = search(self._passages, query_text, top=top_k, weight=weight, by=by or self.by)
        rows = [hit.as_dict() | {"content": told(hit)} for hit in hits]
        return RawSearchResult(records=[neo4j.Record(row) for row in rows])  # type: ignore[no-untyped-call]


def _item(record: neo4j.Record) -> RetrieverResultItem:
    row = record.data()
    return RetrieverResultItem(content=row.pop("content"), metadata=row)


class _Questions:
    """A neo4j-graphrag embedder in the place of ours; it is asked for questions only."""

    def __init__(self, embedder: GraphragEmbedder) -> None:
        self._embedder = embedder

    @property
    def fingerprint(self) -> str:
        return type(self._embedder).__name__

    @property
    def dimensions(self) -> int:
        return len(self._embedder.embed_query("dimensions"))

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._embedder.embed_query(text) for text in texts], np.float32)
