"""Which passages are looked at for each picture, and what every field says of them.

A small collection is looked at whole. In a large one the best passages and documents of every field are gathered from
inverted indexes, and all fields are computed for those alone: the work grows with the pictures, not with pictures times
passages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.candidates.corpus import Corpus
from kg_pipeline.candidates.fields import CUBED, DAMPED
from kg_pipeline.candidates.ordering import chosen
from kg_pipeline.candidates.sparse import Integers, Places, Scores, cells, pairs_of
from kg_pipeline.candidates.weights import DOCUMENT_WEIGHTS, PASSAGE_WEIGHTS, WORDLESS

WHOLE = 2_000
"""A collection of no more passages is looked at whole for every picture."""
PER_FIELD, DOCUMENTS_PER_FIELD = 100, 20
"""Best passages and documents that each field adds."""
BEST_DOCUMENTS, NEAREST_DOCUMENTS, PASSAGES_OF_DOCUMENT = 20, 5, 40
"""Documents that are looked at with their passages, and how many of those."""
PICTURES = 500
"""Pictures looked at at once."""
BLOCK_CELLS = 1_000_000
"""Pictures times passages held at once, some fifty arrays of 4 bytes each: 200 MB."""

# A vote outweighs any distance: a document that uses the folder is near, wherever it lies.
VOTE = 10.0
ENOUGH_COSINE = 0.1
"""Above the usual cosine: what the best passage of a picture needs for full marks."""
Pairs = tuple[Integers, Integers]


@dataclass(frozen=True, eq=False)
class Shortlist:
    """Some pictures and the passages that are looked at for each."""

    corpus: Corpus
    rows: Integers
    """Rows of the pictures."""
    passages: Places
    eligible: NDArray[np.bool_]
    """Which passages count: others are there only because somebody asked for their features."""
    documents: Places
    """Documents of those passages, and others that were compared with them."""
    eligible_documents: NDArray[np.bool_]
    document_place: NDArray[np.int64]
    """For each passage the place of its document."""
    asked: Pairs
    """Row and column of the pairs that were asked for."""

    def of_passages(self, of_documents: NDArray[Any]) -> NDArray[Any]:
        """What holds for documents, for each passage of theirs."""
        return np.take_along_axis(of_documents, self.document_place, axis=1)

    @cached_property
    def passage_scores(self) -> dict[str, Scores]:
        """Named scores of the passages."""
        raw = self.corpus.fields.passages(self.rows, self.passages)
        return _relative(raw, self.corpus.fields.floors, self.eligible, self.passages >= 0)

    @cached_property
    def document_scores(self) -> dict[str, Scores]:
        """Named scores of the documents."""
        return document_scores(self.corpus, self.rows, self.documents, self.eligible_documents)

    @cached_property
    def passage_score(self) -> Scores:
        """Weighted sum of the passage fields."""
        return weigh(self.passage_scores, PASSAGE_WEIGHTS)

    @cached_property
    def document_score(self) -> Scores:
        """Weighted sum of the document fields."""
        return weigh(self.document_scores, DOCUMENT_WEIGHTS)

    @cached_property
    def passage_matched(self) -> NDArray[np.bool_]:
        """Where any word of a passage field matched."""
        return _matched(self.passage_scores)

    @cached_property
    def document_matched(self) -> NDArray[np.bool_]:
        """Where any word of a document field matched."""
        return _matched(self.document_scores)

    @cached_property
    def passage_votes(self) -> Scores:
        """Share of the votes of like pictures."""
        return cells(self.corpus.passage_votes, self.rows, self.passages)

    @cached_property
    def inside(self) -> Scores:
        """1 where the picture lies in the document's own file, less around it."""
        return cells(self.corpus.places_inside, self.rows, self.passages)

    @cached_property
    def likeness(self) -> Scores:
        """Cosine with the passages above the picture's usual one, as a share of the best."""
        raw = {"embedding": self.corpus.meaning.scores(self.rows, self.passages)}
        return _relative(raw, {"embedding": ENOUGH_COSINE}, self.eligible, self.passages >= 0)["embedding"]

    @cached_property
    def folder_votes(self) -> Scores:
        """Share of the references of the folder's other pictures that stand in each document."""
        return self.corpus.folder_votes.shares(self.rows, self.documents)

    @cached_property
    def nearness(self) -> Scores:
        """How near documents are; words only decide between those that are equally near."""
        return nearness(self.folder_votes, self.document_scores, self.document_score)


def shortlists(corpus: Corpus) -> Iterator[Shortlist]:
    """All pictures of the corpus, those of visible references with the passages that refer to them."""
    references = corpus.visible_references
    fields = corpus.fields
    image = np.fromiter((fields.image_row[each] for each in references["image_id"]), np.int64, len(references))
    chunk = fields.chunk_rows(references["chunk_id"])
    for rows in blocks(corpus, np.arange(len(fields.images))):
        mine = np.isin(image, rows)
        yield shortlist(corpus, rows, (np.searchsorted(rows, image[mine]), chunk[mine]))


def shortlist_count(corpus: Corpus) -> int:
    """How many shortlists there are."""
    return len(blocks(corpus, np.arange(len(corpus.fields.images))))


def blocks(corpus: Corpus, rows: Integers) -> list[Integers]:
    """Rows of pictures, cut so that the scores of a block fit into memory; at least one block, if need be empty."""
    passages = len(corpus.fields.chunk_ids)
    size = max(1, BLOCK_CELLS // max(1, passages)) if passages <= WHOLE else PICTURES
    return [rows[start : start + size] for start in range(0, max(1, len(rows)), size)]


def shortlist(corpus: Corpus, rows: Integers, asked: Pairs) -> Shortlist:
    """`asked`: place in `rows` and row of passage of pairs whose features are wanted in any case.

    They change nothing for the others: neither what is looked at, nor what scores are relative to.
    """
    fields = corpus.fields
    if len(fields.chunk_ids) <= WHOLE:
        return _whole(corpus, rows, asked)
    found = _found_passages(corpus, rows)
    compared = _joined((found[0], fields.chunk_document[found[1]]), _found_documents(corpus, rows))
    asked_documents = asked[0], fields.chunk_document[asked[1]]
    documents = padded(len(rows), _joined(compared, asked_documents))
    eligible_documents = _marked(documents, compared)
    # Computed for the choice of documents, and kept: the most costly part is not done twice.
    scores = document_scores(corpus, rows, documents, eligible_documents)
    leading = _leading_documents(corpus, rows, documents, eligible_documents, scores)
    found = _joined(found, _passages_of(corpus, documents, leading))
    passages = padded(len(rows), _joined(found, asked))
    of_passage = fields.chunk_document[passages]
    chosen_row = np.broadcast_to(np.arange(len(rows))[:, None], passages.shape)
    result = Shortlist(
        corpus,
        rows,
        passages,
        _marked(passages, found),
        documents,
        eligible_documents,
        np.where(passages >= 0, places_in(documents, (chosen_row, of_passage)), 0),
        (asked[0], places_in(passages, asked)),
    )
    result.__dict__["document_scores"] = scores
    return result


def _whole(corpus: Corpus, rows: Integers, asked: Pairs) -> Shortlist:
    fields = corpus.fields
    passages, documents = (
        np.broadcast_to(np.arange(len(ids), dtype=np.int32), (len(rows), len(ids)))
        for ids in (fields.chunk_ids, fields.document_ids)
    )
    of_passage = np.broadcast_to(fields.chunk_document.astype(np.int64), passages.shape)
    everything = np.ones(passages.shape, np.bool_), np.ones(documents.shape, np.bool_)
    return Shortlist(corpus, rows, passages, everything[0], documents, everything[1], of_passage, asked)


def _found_passages(corpus: Corpus, rows: Integers) -> Pairs:
    near = pairs_of(corpus.passage_votes, rows), pairs_of(corpus.places_inside, rows)
    found = _joined(corpus.fields.best_passages(rows, PER_FIELD), *near)
    return _joined(found, corpus.meaning.best(rows, PER_FIELD)) if corpus.meaning.is_known else found


def _found_documents(corpus: Corpus, rows: Integers) -> Pairs:
    found = corpus.fields.best_documents(rows, DOCUMENTS_PER_FIELD)
    return _joined(found, corpus.folder_votes.best(rows, DOCUMENTS_PER_FIELD))


def _leading_documents(
    corpus: Corpus, rows: Integers, documents: Places, eligible: NDArray[np.bool_], scores: dict[str, Scores]
) -> NDArray[np.bool_]:
    """The best documents by words and path, and the nearest."""
    total = weigh(scores, DOCUMENT_WEIGHTS)
    near = nearness(corpus.folder_votes.shares(rows, documents), scores, total)
    return chosen(total, eligible, BEST_DOCUMENTS) | chosen(near, eligible, NEAREST_DOCUMENTS)


def _passages_of(corpus: Corpus, documents: Places, wanted: NDArray[np.bool_]) -> Pairs:
    """The first passages of the wanted documents."""
    row, column = np.nonzero(wanted)
    document = documents[row, column]
    first = corpus.fields.first_passage[document]
    size = np.minimum(corpus.fields.first_passage[document + 1] - first, PASSAGES_OF_DOCUMENT)
    nth = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size - first, size)
    return np.repeat(row, size), nth


def document_scores(
    corpus: Corpus, rows: Integers, documents: Places, eligible: NDArray[np.bool_]
) -> dict[str, Scores]:
    """Named scores of pictures on documents; folders of many pictures count less."""
    fields = corpus.fields
    scores = _relative(fields.documents(rows, documents), fields.floors, eligible, documents >= 0)
    for name in CUBED:
        scores[name] = scores[name] ** 3
    damping = fields.folders.damping[rows][:, None]
    for name in DAMPED:
        scores[name] = scores[name] * damping
    return scores


def nearness(votes: Scores, scores: dict[str, Scores], total: Scores) -> Scores:
    """How near documents are; words only decide between those that are equally near."""
    return np.asarray(VOTE * votes - scores["path_distance"] + 1e-3 * total, np.float32)


def weigh(scores: dict[str, Scores], weights: Mapping[str, float]) -> Scores:
    """Weighted sum of named scores."""
    total = np.zeros_like(scores[next(iter(weights))])
    for name, weight in weights.items():
        total += np.float32(weight) * scores[name]
    return total


def _matched(scores: dict[str, Scores]) -> NDArray[np.bool_]:
    return np.asarray(np.logical_or.reduce([found > 0 for name, found in scores.items() if name not in WORDLESS]))


def _relative(
    raw: dict[str, Scores], floors: Mapping[str, float], eligible: NDArray[np.bool_], there: NDArray[np.bool_]
) -> dict[str, Scores]:
    """Relative fields divided by the best of the picture or by the floor, whichever is more; 0 where no text is.

    1 for the best text of an image where the evidence is worth its name: an image of which little is known must not
    get the same full marks as one whose words are found.
    """
    scores = {}
    for name, found in raw.items():
        scores[name] = np.where(there, found, np.float32(0)).astype(np.float32)
        if name in floors:
            best = np.maximum((scores[name] * eligible).max(axis=1, keepdims=True, initial=0), floors[name])
            scores[name] = np.minimum(scores[name] / best, 1)
    return scores


def _joined(*pairs: Pairs) -> Pairs:
    return np.concatenate([row for row, _ in pairs]), np.concatenate([text for _, text in pairs])


def padded(count: int, pairs: Pairs) -> Places:
    """The distinct values of each of `count` rows, ascending, then -1."""
    keys = np.sort(_key(pairs))  # np.unique hashes, which takes several times as long
    keys = keys[np.diff(keys, prepend=-1) > 0]
    row, value = keys >> 32, keys & 0xFFFFFFFF
    held = np.bincount(row, minlength=count)
    table = np.full((count, int(held.max(initial=0))), -1, np.int32)
    table[row, np.arange(len(row)) - np.repeat(np.cumsum(held) - held, held)] = value
    return table


def places_in(table: Places, pairs: Pairs) -> NDArray[np.int64]:
    """In which column of a padded table the values of each row stand; they must be there."""
    there = table >= 0
    row = np.broadcast_to(np.arange(len(table))[:, None], table.shape)
    keys = _key((row[there], table[there]))
    held = there.sum(axis=1)
    return np.asarray(np.searchsorted(keys, _key(pairs)) - (np.cumsum(held) - held)[pairs[0]])


def _marked(table: Places, pairs: Pairs) -> NDArray[np.bool_]:
    marked = np.zeros(table.shape, np.bool_)
    marked[pairs[0], places_in(table, pairs)] = True
    return marked


def _key(pairs: Pairs) -> NDArray[np.int64]:
    return pairs[0].astype(np.int64) << 32 | pairs[1].astype(np.int64)
