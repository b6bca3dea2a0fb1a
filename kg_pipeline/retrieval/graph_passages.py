"""Plain search on a Neo4j server: its full-text index, its vector index, and the pictures by one Cypher text."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from kg_pipeline.embedding import Embedder
from kg_pipeline.graph import PICTURES_OF_PASSAGES, Connection, find_search_indexes
from kg_pipeline.graph.model import SEARCH_INDEXES
from kg_pipeline.letters import CJK
from kg_pipeline.retrieval.errors import RetrievalError
from kg_pipeline.retrieval.hits import Hit, Picture, with_pictures
from kg_pipeline.retrieval.ordering import Scored
from kg_pipeline.retrieval.passages import WAYS, By

TEXT_INDEX = "kg_pipeline_chunk_text"
VECTOR_INDEX = "kg_pipeline_chunk_embedding"
assert {TEXT_INDEX, VECTOR_INDEX} <= {index.name for index in SEARCH_INDEXES}

BY_WORDS = f"""
CALL db.index.fulltext.queryNodes('{TEXT_INDEX}', $words) YIELD node, score
WHERE $collections IS NULL OR node.collection IN $collections
RETURN node.id AS chunk_id, score ORDER BY score DESC, chunk_id LIMIT $depth
"""
BY_MEANING = f"""
CALL db.index.vector.queryNodes('{VECTOR_INDEX}', $nearest, $vector) YIELD node, score
WHERE $collections IS NULL OR node.collection IN $collections
RETURN node.id AS chunk_id, score ORDER BY score DESC, chunk_id LIMIT $depth
"""
HITS = f"""
UNWIND $found AS each
MATCH (node:Chunk {{id: each.chunk_id}})
WITH node, each.relevance AS score
{PICTURES_OF_PASSAGES}
"""
NEIGHBOURS = 5
"""The vector index knows no collections: so many times more neighbours are asked for where some are left out."""

MAX_WORDS = 400
"""Of a question: Lucene takes 1,024 clauses, one for each word and for each of the two fields."""

_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+")
_RESERVED = re.compile(r'([+\-!(){}\[\]^"~*?:\\/&|<>=])')
_OPERATORS = re.compile(r"\b(AND|OR|NOT|TO)\b")


class GraphPassages:
    """The passages of the graph at `connection`, of all collections or of some."""

    def __init__(
        self, connection: Connection, collections: Sequence[str] | None = None, embedder: Embedder | None = None
    ) -> None:
        """Raises RetrievalError when the server has no full-text index of passages."""
        states = {finding.index.name: finding.state for finding in find_search_indexes(connection, None)}
        if states.get(TEXT_INDEX) != "online":
            raise RetrievalError(
                f"the full-text index {TEXT_INDEX} at {connection.address} is {states.get(TEXT_INDEX, 'missing')}: "
                "`kg-pipeline run` makes it, `kg-pipeline doctor` says what is in the way"
            )
        self._connection = connection
        self._collections = list(collections) if collections is not None else None
        self._embedder = embedder if states.get(VECTOR_INDEX) == "online" else None

    @property
    def ways(self) -> tuple[By, ...]:
        """See Passages."""
        return WAYS if self._embedder else ("words",)

    def by_words(self, question: str, depth: int) -> Scored:
        """See Passages. Raises GraphError."""
        return self._scored(BY_WORDS, words=lucene_words(question), depth=depth)

    def by_meaning(self, question: str, depth: int) -> Scored:
        """See Passages. Raises GraphError."""
        assert self._embedder is not None
        vector = self._embedder.embed([question])[0].tolist()
        nearest = depth if self._collections is None else depth * NEIGHBOURS
        return self._scored(BY_MEANING, vector=vector, nearest=nearest, depth=depth)

    def hits(self, found: Scored) -> list[Hit]:
        """See Passages; a passage that was deleted in between is left out. Raises GraphError."""
        wanted = [{"chunk_id": chunk, "relevance": score} for chunk, score in found]
        rows = {row["chunk_id"]: row for row in self._connection.read(HITS, found=wanted)}
        return [hit_of(rows[chunk], score) for chunk, score in found if chunk in rows]

    def _scored(self, statement: str, **parameters: Any) -> Scored:
        rows = self._connection.read(statement, collections=self._collections, **parameters)
        return [(row["chunk_id"], float(row["score"])) for row in rows]


def hit_of(row: dict[str, Any], relevance: float) -> Hit:
    """A row of PICTURES_OF_PASSAGES as a hit."""
    pictures = [
        Picture(
            image_id=picture["image_id"],
            path=picture["path"] or picture["image_id"],
            uri=picture["uri"],
            caption=picture["caption"],
            confidence=picture["confidence"],
            score=picture["score"],
            referenced=picture["referenced"],
            reason=picture["reason"],
        )
        for picture in row["pictures"]
    ]
    hit = Hit(
        chunk_id=row["chunk_id"],
        collection=row["collection"],
        document=row["document_path"] or "",
        title=row["document"],
        document_uri=row["document_uri"],
        heading=row["heading"],
        line=row["line_start"],
        line_end=row["line_end"],
        page=row["page"],
        text=row["text"],
        relevance=relevance,
    )
    return with_pictures(hit, pictures)


def lucene_words(question: str) -> str:
    """The first MAX_WORDS words of a question for Lucene's parser, to which none of its signs means anything."""
    beyond = next(islice(_WORD.finditer(question), MAX_WORDS, None), None)
    question = question[: beyond.start()] if beyond else question
    return _OPERATORS.sub(lambda found: found[0].lower(), _RESERVED.sub(r"\\\1", question))
