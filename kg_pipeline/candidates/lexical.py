"""Blocking by words: the picture's name, folders and text against passages, headings, titles and paths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.candidates.ordering import Best, best, chosen
from kg_pipeline.candidates.shortlist import Shortlist
from kg_pipeline.candidates.sparse import Scores


@dataclass(frozen=True)
class LexicalPassage:
    """The passages whose own words fit best, wherever they stand."""

    limit: int
    name: str = "lexical_passage"

    def propose(self, shortlist: Shortlist) -> Best:
        """See Strategy."""
        return best(shortlist.passage_score, shortlist.passage_matched & shortlist.eligible, self.limit)


@dataclass(frozen=True)
class Lexical:
    """The passages that fit best by their own words and by the title, headings and path of their document.

    The `limit` best, and as many with no more than `per_document` of any document: one long document must not be
    all that is proposed.
    """

    limit: int
    per_document: int = 15
    name: str = "lexical"

    def propose(self, shortlist: Shortlist) -> Best:
        """See Strategy."""
        scores = shortlist.passage_score + shortlist.of_passages(shortlist.document_score)
        matched = shortlist.passage_matched | shortlist.of_passages(shortlist.document_matched)
        matched &= shortlist.eligible
        wanted = chosen(scores, matched, self.limit)
        leading = _leading(scores, matched, shortlist.document_place, self.per_document)
        wanted |= chosen(scores, leading, self.limit)
        return best(scores, wanted, 2 * self.limit)


def _leading(scores: Scores, matched: NDArray[np.bool_], document: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Whether a matched passage is among the `count` best of its document."""
    rows, columns = np.nonzero(matched)
    group = rows * (int(document.max(initial=0)) + 1) + document[rows, columns]
    order = np.lexsort((columns, -scores[rows, columns], group))
    size = np.bincount(group)
    nth = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    first = order[nth < count]
    leading: NDArray[np.bool_] = np.zeros(matched.shape, np.bool_)
    leading[rows[first], columns[first]] = True
    return leading
