"""Votes of other pictures: where like pictures and those of the same folder are used. Never a picture's own references.

Byte-identical copies are one picture (one image_id), so a copy never votes for itself.
"""

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.fields import Fields
from kg_pipeline.candidates.image_words import natural_key
from kg_pipeline.candidates.matching import Field
from kg_pipeline.candidates.sparse import Integers, Matrix, Places, Scores, binary, cells, matrix_of, pairs_of

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

Votes: TypeAlias = tuple[Integers, Integers, NDArray[np.float64]]
"""Row of a picture, row of another, and how much the other's references count for it."""

_DIGITS = re.compile(r"\d+")


def passage_votes(fields: Fields, images: pl.DataFrame, references: pl.DataFrame) -> Matrix:
    """Share of the votes of like pictures for each passage, (images, passages)."""
    likeness = _likeness(fields, images)
    chunks = fields.chunk_rows(references["chunk_id"])
    used = _references(fields, references, chunks, len(fields.chunk_ids))
    votes = likeness @ (used @ _spread(fields.chunk_document, used))
    total = likeness @ np.asarray(np.diff(used.indptr) > 0, np.float32)
    return _shares(votes, total)


def places_inside(fields: Fields, places: pl.DataFrame) -> Matrix:
    """1 for the passages of `places` (image_id, chunk_id), less for those around them, (images, passages)."""
    lying = _references(fields, places, fields.chunk_rows(places["chunk_id"]), len(fields.chunk_ids))
    near = sparse.csr_array(lying @ _spread(fields.chunk_document, lying))
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
    folders: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row, image in enumerate(images):
        for path in image.paths:
            folder, _, name = path.rpartition("/")
            folders[folder].append((name, row))
    members = [_in_natural_order(folders[folder]) for folder in sorted(folders)]
    votes = _neighbours(members, frame.sort("image_id")), _look_alikes(fields, frame)
    here, there, weight = (np.concatenate(parts) for parts in zip(*votes, strict=True))
    count = max(1, len(images))
    pairs, place = np.unique(here * count + there, return_inverse=True)
    total = np.bincount(place, weight, len(pairs))  # adds up in order
    here, there = pairs // count, pairs % count
    others = here != there
    return matrix_of(here[others], there[others], total[others], (len(images), len(images)))


def _in_natural_order(members: list[tuple[str, int]]) -> list[tuple[int, str]]:
    """Row and series of the pictures of a folder."""
    ordered = sorted((natural_key(name), row, PurePosixPath(name).stem) for name, row in members)
    return [(row, _series(stem)) for _, row, stem in ordered]


def _neighbours(members: list[list[tuple[int, str]]], frame: pl.DataFrame) -> Votes:
    """Of pictures that stand near each other in a folder; `frame` is the table images in the order of rows."""
    row = np.array([row for each in members for row, _ in each], np.int64)
    folder = np.repeat(np.arange(len(members)), [len(each) for each in members])
    known = {"": 0}
    series = np.array([known.setdefault(name, len(known)) for each in members for _, name in each], np.int64)
    width, height = (frame[side].fill_null(0).to_numpy().astype(np.int64)[row] for side in ("width", "height"))
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))]
    for distance in range(1, NEIGHBOURS + 1):
        first = np.flatnonzero(folder[:-distance] == folder[distance:])
        other = first + distance
        weight = np.full(len(first), np.exp(-distance / 2))
        weight[(series[first] > 0) & (series[first] == series[other])] += SERIES / distance
        same_size = (width[first] == width[other]) & (height[first] == height[other])
        weight[(width[first] > 0) & same_size] += SAME_SIZE
        found += [(first, other, weight), (other, first, weight)]
    here, there, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    # A picture that lies in several folders gets its weights in their order.
    order = np.lexsort((np.abs(there - here), np.minimum(here, there)))
    return row[here[order]], row[there[order]], weight[order]


def _look_alikes(fields: Fields, frame: pl.DataFrame) -> Votes:
    groups: dict[str, list[int]] = defaultdict(list)
    for image_id, group in frame.select("image_id", "duplicate_group").drop_nulls().iter_rows():
        groups[group].append(fields.image_row[image_id])
    # A few look-alikes say what a thousand would.
    few = [sorted(groups[group])[: 2 * NEIGHBOURS] for group in sorted(groups)]
    pairs = [(row, other) for members in few for row in members for other in members]
    here, there = np.array(pairs, np.int64).reshape(-1, 2).T
    return here, there, np.full(len(pairs), LOOK_ALIKE)


def _series(name: str) -> str:
    """What is left of `step-03` without its number; empty for a name without one."""
    return _DIGITS.sub("#", name.lower()) if _DIGITS.search(name) else ""


def _references(fields: Fields, references: pl.DataFrame, texts: Integers, count: int) -> Matrix:
    """1 where a picture is used, (images, passages or documents); `texts` has the row of each reference's text."""
    rows = np.array([fields.image_row[image] for image in references["image_id"]], np.int64)
    used = matrix_of(rows, texts, np.ones(len(rows)), (len(fields.images), count))
    return binary(used)


def _spread(chunk_document: Integers, used: Matrix) -> Matrix:
    """How much a vote for one passage is one for another of the same document, (passages, passages).

    Only of the passages that are `used`, (pictures, passages): in a large collection those are few.
    """
    count = len(chunk_document)
    voted = np.unique(used.indices).astype(np.int64)
    rows, columns, values = [voted], [voted], [np.ones(len(voted))]
    for step in range(-PASSAGE_REACH, PASSAGE_REACH + 1):
        inside = voted[(voted + step >= 0) & (voted + step < count)] if step else voted[:0]
        first = inside[chunk_document[inside] == chunk_document[inside + step]]
        rows.append(first)
        columns.append(first + step)
        values.append(np.full(len(first), np.exp(-abs(step) / PASSAGE_SPREAD)))
    return matrix_of(np.concatenate(rows), np.concatenate(columns), np.concatenate(values), (count, count))


def _shares(votes: Matrix, total: NDArray[np.float32]) -> Matrix:
    shares = sparse.csr_array(votes)
    shares.data *= np.repeat(1 / (np.maximum(total, 0) + ABSTENTION), np.diff(shares.indptr))
    shares.data[np.abs(shares.data) < 1e-6] = 0
    shares.eliminate_zeros()
    shares.sort_indices()
    return shares
