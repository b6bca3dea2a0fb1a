"""A question in, passages with their pictures out."""

from kg_pipeline.retrieval.errors import RetrievalError
from kg_pipeline.retrieval.hits import Hit
from kg_pipeline.retrieval.ordering import DEFAULT_WEIGHT, Scored, fused, illustrated_first, stretched
from kg_pipeline.retrieval.passages import By, Passages

TOP = 10
POOL, POOL_PER_HIT = 100, 10
"""Plain search gives this many passages, or so many per hit that is wanted; among these the pictures decide."""


def search(
    passages: Passages, question: str, *, top: int = TOP, weight: float = DEFAULT_WEIGHT, by: By | None = None
) -> list[Hit]:
    """The `top` passages, those with visual evidence preferred by `weight` (see ordering.illustrated_first).

    `by`: words, meaning, both; the best there is by default. Raises RetrievalError; GraphError and EmbeddingError when
    a server that is needed is away.
    """
    if not question.strip():
        raise RetrievalError("there is nothing to search for: the question is empty")
    if top < 1 or not weight >= 0:
        raise RetrievalError(f"top must be at least 1 and weight at least 0; they are {top} and {weight}")
    found = plain_search(passages, question, max(POOL, POOL_PER_HIT * top), by or passages.ways[-1])
    return illustrated_first(passages.hits(found), weight)[:top]


def plain_search(passages: Passages, question: str, depth: int, by: By) -> Scored:
    """Ids of at most `depth` passages with their relevance, best first; no picture is looked at."""
    if by not in passages.ways:
        raise RetrievalError(
            "there are no vectors to search by meaning: give the collection a section `embeddings` and run it "
            "(docs/retrievers.md); several collections need the same one. Or search by words"
        )
    if by == "words":
        return passages.by_words(question, depth)
    if by == "meaning":
        return list(stretched(passages.by_meaning(question, depth)).items())
    return fused(passages.by_words(question, depth), passages.by_meaning(question, depth))[:depth]
