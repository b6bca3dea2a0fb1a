"""Votes of other pictures: where like pictures and those of the same folder are used. Never a picture's own references.

Byte-identical copies are one picture (one image_id), so a copy never votes for itself.
"""

import re
from collections import defaultdict
from pathlib import PurePosixPath

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.fields import Fields
from kg_pipeline.candidates.image_words import natural_key
from kg_pipeline.candidates.sparse import Field, Integers, Matrix, Places, Scores, binary, cells, matrix_of, pairs_of

# Added to the sum of the weights, so that one far sibling is no unanimous vote (reference measurements: 0.3).
ABSTENTION = 0.3
NEIGHBOURS = 6
"""Pictures to either side in the natural order of the folder."""
PASSAGE_SPREAD, PASSAGE_REACH = 1.5, 4
"""A vote for a passage counts for its neighbours too, times exp(-distance / 1.5), up to 4 away."""
BESIDE = 0.9
"""At most, for a passage between two at which a picture lies."""
LOOK_ALIKE, SERIES, SAME_SIZE = 2.0, 1.0, 0.5
"""Weights next to exp(-distance / 2) of neighbours in the folder."""

_DIGITS = re.compile(r"\d+")


def passage_votes(fields: Fields, images: pl.DataFrame, references: pl.DataFrame) -> Matrix:
    """Share of the votes of like pictures for each passage, (images, passages)."""
    likeness = _likeness(fields, images)
    chunks = fields.chunk_rows(references["chunk_id"])
    used = _references(fields, references, chunks, len(fields.chunk_ids))
    votes = likeness @ (used @ _spread(fields.chunk_document))
    total = likeness @ np.asarray(np.diff(used.indptr) > 0, np.float32)
    return _shares(votes, total)


def places_inside(fields: Fields, places: pl.DataFrame) -> Matrix:
    """1 for the passages of `places` (image_id, chunk_id), less for those around them, (images, passages)."""
    lying = _references(fields, places, fields.chunk_rows(places["chunk_id"]), len(fields.chunk_ids))
    near = sparse.csr_array(lying @ _spread(fields.chunk_document))
    near.data = np.minimum(near.data, BESIDE)
    near = sparse.csr_array(near.maximum(lying))
    near.sort_indices()
    return near


class FolderVotes:
    """Share of the references of the folder's other pictures that stand in each document.

    Looked up for the documents that are asked for: in a folder of all pictures, each would have all documents.
    """

    def __init__(self, fields: Fields, references: pl.DataFrame) -> None:
        inside = fields.folders.of_image
        documents = fields.document_ids.search_sorted(references["document_id"]).to_numpy()
        self._used = _references(fields, references, documents, len(fields.document_ids))
        self._of_folder = sparse.csr_array(inside.T @ self._used)
        self._inside = inside
        self._votes = Field(inside, sparse.csr_array(self._of_folder.T))
        self._own_folders = np.diff(inside.indptr).astype(np.float32)
        per_image = np.asarray(self._used.sum(axis=1), np.float32)
        self._total = inside @ (inside.T @ per_image) - self._own_folders * per_image

    def shares(self, rows: Integers, places: Places) -> Scores:
        """Shares of the documents looked at for each picture, 0-1."""
        if not self._used.nnz:
            return np.zeros(places.shape, np.float32)
        own = self._own_folders[rows][:, None] * cells(self._used, rows, places)
        votes = self._votes.scores(rows, places) - own
        shares = votes * (1 / (np.maximum(self._total[rows], 0) + ABSTENTION))[:, None]
        return np.where(np.abs(shares) < 1e-6, 0, shares).astype(np.float32)

    def best(self, rows: Integers, count: int) -> tuple[Integers, Integers]:
        """About the `count` documents with most votes of each folder of the pictures: place in `rows`, document."""
        row, folder = pairs_of(self._inside, rows)
        best = {number: self._of_one_folder(number, count) for number in np.unique(folder).tolist()}
        found = [best[number] for number in folder.tolist()]
        return np.repeat(row, [len(documents) for documents in found]), np.concatenate([np.empty(0, np.int64), *found])

    def _of_one_folder(self, folder: int, count: int) -> Integers:
        cell = slice(self._of_folder.indptr[folder], self._of_folder.indptr[folder + 1])
        documents, votes = self._of_folder.indices[cell], self._of_folder.data[cell]
        return documents[np.lexsort((documents, -votes))[:count]].astype(np.int64)


def _likeness(fields: Fields, frame: pl.DataFrame) -> Matrix:
    images = fields.images
    size = dict(zip(frame["image_id"], zip(frame["width"], frame["height"], strict=True), strict=True))
    weights: dict[tuple[int, int], float] = defaultdict(float)
    folders: dict[str, list[tuple[tuple[tuple[int, int, str], ...], int, str]]] = defaultdict(list)
    for row, image in enumerate(images):
        for path in image.paths:
            folder, _, name = path.rpartition("/")
            folders[folder].append((natural_key(name), row, PurePosixPath(name).stem))
    for folder in sorted(folders):
        members = sorted(folders[folder])
        for here, (_, row, name) in enumerate(members):
            for distance, (_, other, other_name) in enumerate(members[here + 1 : here + 1 + NEIGHBOURS], start=1):
                weight = np.exp(-distance / 2)
                if _series(name) and _series(name) == _series(other_name):
                    weight += SERIES / distance
                if size[images[row].image_id][0] and size[images[row].image_id] == size[images[other].image_id]:
                    weight += SAME_SIZE
                weights[row, other] += weight
                weights[other, row] += weight
    groups: dict[str, list[int]] = defaultdict(list)
    for image_id, group in frame.select("image_id", "duplicate_group").drop_nulls().iter_rows():
        groups[group].append(fields.image_row[image_id])
    for group in sorted(groups):
        members_of_group = sorted(groups[group])[: 2 * NEIGHBOURS]  # a few look-alikes say what a thousand would
        for row in members_of_group:
            for other in members_of_group:
                weights[row, other] += LOOK_ALIKE
    pairs = [(row, other, weight) for (row, other), weight in sorted(weights.items()) if row != other]
    return matrix_of(
        np.array([row for row, _, _ in pairs], np.int64),
        np.array([other for _, other, _ in pairs], np.int64),
        np.array([weight for _, _, weight in pairs], np.float64),
        (len(images), len(images)),
    )


def _series(name: str) -> str:
    """What is left of `step-03` without its number; empty for a name without one."""
    return _DIGITS.sub("#", name.lower()) if _DIGITS.search(name) else ""


def _references(fields: Fields, references: pl.DataFrame, texts: Integers, count: int) -> Matrix:
    """1 where a picture is used, (images, passages or documents); `texts` has the row of each reference's text."""
    rows = np.array([fields.image_row[image] for image in references["image_id"]], np.int64)
    used = matrix_of(rows, texts, np.ones(len(rows)), (len(fields.images), count))
    return binary(used)


def _spread(chunk_document: Integers) -> Matrix:
    """How much a vote for one passage is one for another of the same document, (passages, passages)."""
    count = len(chunk_document)
    rows, columns, values = [np.arange(count)], [np.arange(count)], [np.ones(count)]
    for distance in range(1, min(PASSAGE_REACH, count - 1) + 1):
        first = np.flatnonzero(chunk_document[:-distance] == chunk_document[distance:])
        rows += [first, first + distance]
        columns += [first + distance, first]
        values += [np.full(2 * len(first), np.exp(-distance / PASSAGE_SPREAD))]
    return matrix_of(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), (count, count))


def _shares(votes: Matrix, total: NDArray[np.float32]) -> Matrix:
    shares = sparse.csr_array(votes.multiply((1 / (np.maximum(total, 0) + ABSTENTION))[:, None]))
    shares.data[np.abs(shares.data) < 1e-6] = 0
    shares.eliminate_zeros()
    shares.sort_indices()
    return shares
