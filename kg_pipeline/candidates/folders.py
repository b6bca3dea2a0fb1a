"""How the folders of a picture fit the path and title of a document."""

import re
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.directories import Directories
from kg_pipeline.candidates.image_words import ImageWords
from kg_pipeline.candidates.matching import Field
from kg_pipeline.candidates.sparse import (
    Columns,
    Integers,
    Matrix,
    Places,
    Rows,
    Scores,
    binary,
    idf,
    matrix_of,
    pairs_of,
    rarest_idf,
)
from kg_pipeline.candidates.tokens import LANGUAGE_FOLDERS, Vocabulary, folder_names, name_words, stem

INDEX_STEMS = frozenset(["index", "readme", "_index", "home", "default", "main"])
_LANGUAGE_SUFFIX = re.compile(r"[._-]([a-z]{2}(?:-[a-z]{2,4})?)$")
# A folder of 200 images is a kind of image ("media"), not the images of one document.
# What the best document needs for full marks; an IDF of 3 is a word of one title in twenty.
ENOUGH_IDF, ENOUGH_OF_RAREST = 3.0, 0.8
FOLDER_OF_ONE_DOCUMENT, FOLDER_HALF_TRUST = 12, 25


def document_stem(path: str) -> str:
    """File stem of a document; for an index page also the name of its directory."""
    pure = PurePosixPath(path)
    return f"{pure.stem} {pure.parent.name}" if is_index(path) else pure.stem


def is_index(path: str) -> bool:
    """Whether the document is the index page of its directory."""
    return PurePosixPath(path).stem.lower() in INDEX_STEMS


def translation_key(path: str) -> str:
    """The path without its language: the same for `doc/en/camera.md`, `doc/zh/camera.md` and `doc/camera.zh.md`."""
    *folders, name = path.lower().split("/")
    stem, dot, extension = name.rpartition(".")
    cut = _LANGUAGE_SUFFIX.search(stem)
    stem = stem[: cut.start()] if cut and cut.group(1) in LANGUAGE_FOLDERS else stem
    return "/".join([*(folder for folder in folders if folder not in LANGUAGE_FOLDERS), f"{stem}{dot}{extension}"])


class FolderFit:
    """Scores of pictures on documents by folders alone; a picture with several paths takes the best of them."""

    def __init__(self, images: list[ImageWords], paths: list[str], titles: list[str], vocabulary: Vocabulary) -> None:
        self.folders = sorted({folder for image in images for folder in image.folders})
        """Every folder that holds a picture."""
        place = {folder: row for row, folder in enumerate(self.folders)}
        of_image = [[place[folder] for folder in image.folders] for image in images]
        self.of_image = matrix_of(
            np.repeat(np.arange(len(images)), [len(rows) for rows in of_image]),
            np.array([row for rows in of_image for row in rows], np.int64),
            np.ones(sum(map(len, of_image))),
            (len(images), len(place)),
        )
        """1 where a picture lies in a folder, (images, folders)."""
        held = np.bincount(self.of_image.indices, minlength=len(place))
        trust = 1 / (1 + np.maximum(0, held - FOLDER_OF_ONE_DOCUMENT) / FOLDER_HALF_TRUST)
        self.damping = np.array([max(trust[rows]) for rows in of_image], np.float32)
        self.enough_overlap = min(ENOUGH_IDF, ENOUGH_OF_RAREST * rarest_idf(len(paths)))
        rows_of_paths = {path: row for row, path in enumerate(paths)}
        self._around = np.array([_document_around(folder, rows_of_paths) for folder in self.folders], np.int64)
        """For each folder the document that it is a part of, -1 for a real folder."""

        self.directories = Directories([path.rpartition("/")[0] for path in paths])
        self._distances = self.directories.distances(self.folders)
        self._known_nearest: dict[int, list[int]] = {}
        # One row per folder and level: "hardware/can-bus" has the levels "hardware" and "can-bus".
        levels = [_levels(folder) for folder in self.folders]
        self._level_count = np.array([len(found) for found in levels], np.int64)
        self._first_level = np.cumsum(self._level_count) - self._level_count
        self._level_depth = np.array([level for found in levels for level, _ in found], np.float32)
        names = [name for found in levels for _, name in found]
        words = [vocabulary.number(map(stem, name_words(name, vocabulary))) for name in names]
        self._words = Field(*_weighted_pair(words, [vocabulary.read(title) for title in titles]))
        pairs = Rows.of_characters(names).pairs(), Rows.of_characters(document_stem(path) for path in paths).pairs()
        columns = Columns(*pairs)
        level_pairs, stem_pairs = (binary(rows.matrix(columns)) for rows in pairs)
        self._letters = Field(level_pairs, stem_pairs)
        self._level_size, self._stem_size = np.diff(level_pairs.indptr), np.diff(stem_pairs.indptr)

    def scores(self, rows: Integers, documents: Places) -> dict[str, Scores]:
        """Named scores of pictures on the documents looked at for each, not yet relative."""
        shape = documents.shape
        distance = np.full(shape, np.inf, np.float32)
        overlap, alike = (np.full(shape, -np.inf, np.float32) for _ in range(2))
        first, held = self.of_image.indptr[rows], np.diff(self.of_image.indptr)[rows]
        for nth in range(int(held.max(initial=0))):
            mine = np.flatnonzero(held > nth)
            folders = self.of_image.indices[first[mine] + nth].astype(np.int64)
            common = self._distances.common(folders, documents[mine])
            inside = self._around[folders][:, None] == np.where(documents[mine] < 0, -2, documents[mine])
            apart = np.where(inside, np.float32(0), self._distances.of(folders, documents[mine], common))
            distance[mine] = np.minimum(distance[mine], apart)
            for best, found in zip((overlap, alike), self._level_scores(folders, documents[mine], common), strict=True):
                best[mine] = np.maximum(best[mine], found)
        return {
            "path_distance": distance,
            "folder_overlap": overlap,
            "folder_name": alike,
        }

    def best(self, rows: Integers, count: int) -> tuple[Integers, Integers]:
        """About `count` documents each that are nearest, share words with, or are called like, the pictures' folders.

        Pairs of place in `rows` and row of document.
        """
        row, folder = pairs_of(self.of_image, rows)
        folders, place = np.unique(folder, return_inverse=True)
        near = Rows.of([self._nearest(number, count) for number in folders.tolist()])
        found = [(near.rows().astype(np.int64), near.keys.astype(np.int64))]
        levels = self._level_count[folders]
        owner = np.repeat(np.arange(len(folders)), levels)
        level = np.arange(len(owner)) - np.repeat(np.cumsum(levels) - levels - self._first_level[folders], levels)
        for field in (self._words, self._letters):
            nth, documents = pairs_of(field.best(level, count))
            found.append((owner[nth], documents))
        of_folder = np.unique(np.concatenate([np.stack(pair) for pair in found], axis=1), axis=1)
        start = np.searchsorted(of_folder[0], place)
        size = np.searchsorted(of_folder[0], place, "right") - start
        nth = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size - start, size)
        return np.repeat(row, size), of_folder[1][nth]

    def sums(self, weights: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
        """For each folder the sum over all documents of weight * exp(-decay * distance)."""
        sums = self.directories.sums(self.folders, weights, decay)
        inside = np.flatnonzero(self._around >= 0)
        own = self._around[inside]
        common = self._distances.common(inside, own[:, None].astype(np.int32))
        apart = self._distances.of(inside, own[:, None].astype(np.int32), common)[:, 0]
        sums[inside] += weights[own] * (1 - np.exp(-decay * apart))
        return sums

    def _nearest(self, folder: int, count: int) -> list[int]:
        if folder not in self._known_nearest:
            own = self._around[folder : folder + 1]
            others = self.directories.nearest(self.folders[folder], count)
            self._known_nearest[folder] = list(dict.fromkeys([*own[own >= 0].tolist(), *others]))
        return self._known_nearest[folder]

    def _level_scores(self, folders: Integers, documents: Places, common: Scores) -> tuple[Scores, Scores]:
        """Word overlap and likeness of the private levels: (folders, places).

        Private are the levels below the directory that folder and document share: else every page of a directory
        would match the directory's own name.
        """
        overlap, alike = (np.zeros(documents.shape, np.float32) for _ in range(2))
        for nth in range(int(self._level_count[folders].max(initial=0))):
            mine = np.flatnonzero(self._level_count[folders] > nth)
            level = self._first_level[folders[mine]] + nth
            below = self._level_depth[level][:, None] > common[mine]
            overlap[mine] += self._words.scores(level, documents[mine]) * below
            sizes = self._level_size[level][:, None] + self._stem_size[documents[mine]]
            shared = self._letters.scores(level, documents[mine])
            likeness = (2 * shared / np.maximum(sizes, 1)).astype(np.float32)
            alike[mine] = np.maximum(alike[mine], likeness * below)
        return overlap, alike


def _document_around(folder: str, documents: dict[str, int]) -> int:
    """Row of the document that a folder lies in, as `book.epub/images` does; -1 for a folder of the file system."""
    while folder and folder not in documents:
        folder = folder.rpartition("/")[0]
    return documents.get(folder, -1)


def _levels(directory: str) -> list[tuple[int, str]]:
    parts = directory.split("/")
    return [(level, part) for level, part in enumerate(parts, start=1) if folder_names(part)]


def _weighted_pair(words: list[list[int]], titles: list[list[int]]) -> tuple[Matrix, Matrix]:
    left, right = Rows.of(words), Rows.of(titles)
    columns = Columns(left)
    contained = binary(right.matrix(columns))
    return sparse.csr_array(binary(left.matrix(columns)).multiply(idf(contained)[None, :])), contained
