"""The feature `rivals`: how strongly all other passages together claim a picture."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.shortlist import Shortlist
from kg_pipeline.candidates.sparse import Integers, Scores
from kg_pipeline.evidence.model import INSIDE, NO_PASSAGE, PASSAGE, SHARPNESS

ALMOST_NOTHING = 1e-9  # a share that still has a logarithm
LANGUAGES = (-1, 0, 1)


class Rivals:
    """Log of the sum of exp(SHARPNESS * sum) over all other passages of a picture and over "no passage at all".

    Over all passages, not the proposed ones: else the candidate that a reference adds would change the scores. Those
    that are not looked at share no telling word with the picture; place, language and cue words are all they have, and
    of those the sum over a whole tree of directories is known at once. Translations of the passage's document are no
    rivals: a picture that belongs to one belongs to the other. Nor are the passages at which it lies in documents.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._fields = corpus.fields
        self._translated = len(np.unique(self._fields.document_work)) < len(self._fields.document_ids)

    def of(self, shortlist: Shortlist, rows: Integers, columns: Integers) -> NDArray[np.float64]:
        """For pairs of a shortlist, by row and column."""
        strength = SHARPNESS * np.asarray(_sums(shortlist), np.float64)
        strength[~shortlist.eligible] = -np.inf
        top = np.maximum(strength.max(axis=1, keepdims=True, initial=-np.inf), SHARPNESS * NO_PASSAGE)
        share = np.exp(strength - top)
        nothing = np.exp(SHARPNESS * NO_PASSAGE - top)
        total = share.sum(axis=1, keepdims=True) + nothing + self._outside(shortlist)[:, None] * np.exp(-top)
        share /= total
        rest = 1 - share[rows, columns]
        if self._translated:
            rest -= self._translations(shortlist, share)[rows, shortlist.document_place[rows, columns]]
        lies_here = shortlist.inside >= 1
        if lies_here.any():
            elsewhere = np.where(lies_here, share, 0).sum(axis=1)[rows] - share[rows, columns]
            # Of a translation that holds the picture as well too much is taken away; "no passage" is always left.
            least = np.maximum(rest - elsewhere, (nothing / total)[rows, 0])
            rest = np.where(lies_here[rows, columns], least, rest)
        return np.asarray((top + np.log(total))[rows, 0] + np.log(np.maximum(rest, ALMOST_NOTHING)), np.float64)

    def _translations(self, shortlist: Shortlist, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each document the share of the other documents of its work, (pictures, documents)."""
        shape = shortlist.documents.shape
        row = np.arange(shape[0])[:, None]
        of_document = np.bincount(
            (row * shape[1] + shortlist.document_place).ravel(), share.ravel(), shape[0] * shape[1]
        )
        work = self._fields.document_work[shortlist.documents] + row * (int(self._fields.document_work.max()) + 1)
        _, place = np.unique(work, return_inverse=True)
        of_work = np.bincount(place.ravel(), of_document)
        return np.asarray((of_work[place.ravel()] - of_document).reshape(shape))

    def _outside(self, shortlist: Shortlist) -> NDArray[np.float64]:
        """Sum of exp(SHARPNESS * what place, language and cue words add) over the passages that are not looked at."""
        if shortlist.eligible.all() and shortlist.passages.shape[1] == len(self._fields.chunk_ids):
            return np.zeros(len(shortlist.rows))
        language = self._fields.image_language[shortlist.rows].astype(np.int64)
        folders = self._fields.folders.of_image
        everywhere = np.array(
            [
                self._of_folders[known + 1, folders.indices[folders.indptr[row] : folders.indptr[row + 1]]].max()
                for row, known in zip(shortlist.rows.tolist(), language.tolist(), strict=True)
            ]
        )
        weights, scores = PASSAGE.weights, shortlist.document_scores
        plain = sum(
            weights[name] * scores[name] for name in ("path_distance", "same_language", *self._fields.of_document)
        )
        inside = sum(weights[name] * shortlist.passage_scores[name] for name in self._fields.of_passage)
        inside = np.asarray(inside + shortlist.of_passages(np.asarray(plain)))
        looked_at = np.exp(SHARPNESS * inside.astype(np.float64)) * shortlist.eligible
        return np.asarray(np.maximum(everywhere - looked_at.sum(axis=1), 0))

    @cached_property
    def _of_folders(self) -> NDArray[np.float64]:
        """The sum over all passages, (languages, folders)."""
        fields, weights = self._fields, PASSAGE.weights
        passages = np.exp(SHARPNESS * _weighed(fields.of_passage))
        of_document = np.bincount(fields.chunk_document, passages, len(fields.document_ids))
        of_document *= np.exp(SHARPNESS * _weighed(fields.of_document))
        decay = -SHARPNESS * weights["path_distance"]
        return np.stack(
            [
                fields.folders.sums(
                    of_document * np.exp(SHARPNESS * weights["same_language"] * known * fields.document_language),
                    decay,
                )
                for known in LANGUAGES
            ]
        )


def passage_values(shortlist: Shortlist) -> dict[str, Scores]:
    """Every feature of passages but `rivals`."""
    others = {"siblings": shortlist.passage_votes, INSIDE: shortlist.inside, "embedding": shortlist.likeness}
    return shortlist.passage_scores | others


def document_values(shortlist: Shortlist) -> dict[str, Scores]:
    """Every feature of documents."""
    return shortlist.document_scores | {"proximity": shortlist.folder_votes}


def _weighed(scores: Mapping[str, Scores]) -> NDArray[np.float64]:
    total = np.sum([PASSAGE.weights[name] * found.astype(np.float64) for name, found in scores.items()], axis=0)
    return np.asarray(total, np.float64)


def _sums(shortlist: Shortlist) -> Scores:
    """Weighted sum of all features but this one."""
    passage_sum = sum(PASSAGE.weights[name] * scores for name, scores in passage_values(shortlist).items())
    document_sum = sum(PASSAGE.weights[name] * scores for name, scores in document_values(shortlist).items())
    return np.asarray(passage_sum + shortlist.of_passages(np.asarray(document_sum)))
