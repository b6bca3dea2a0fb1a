"""How the folders of a picture fit the path and title of a document."""

import re
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg_pipeline.candidates.image_words import ImageWords
from kg_pipeline.candidates.sparse import Matrix, Rows, Scores, binary, dense, idf, rarest_idf, relative
from kg_pipeline.candidates.tokens import LANGUAGE_FOLDERS, Vocabulary, folder_names, name_words, stem

INDEX_STEMS = frozenset(["index", "readme", "_index", "home", "default", "main"])
_LANGUAGE_SUFFIX = re.compile(r"[._-]([a-z]{2}(?:-[a-z]{2,4})?)$")
# A folder of 200 images is a kind of image ("media"), not the images of one document.
# What the best document needs for full marks; an IDF of 3 is a word of one title in twenty.
ENOUGH_IDF, ENOUGH_OF_RAREST, ENOUGH_LIKENESS = 3.0, 0.8, 0.5
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
        self._folders = sorted({folder for image in images for folder in image.folders})
        place = {folder: row for row, folder in enumerate(self._folders)}
        self._of_image = [[place[folder] for folder in image.folders] for image in images]
        held = np.bincount([row for rows in self._of_image for row in rows], minlength=len(place))
        trust = 1 / (1 + np.maximum(0, held - FOLDER_OF_ONE_DOCUMENT) / FOLDER_HALF_TRUST)
        self.damping = np.array([max(trust[rows]) for rows in self._of_image], np.float32)
        self._enough_overlap = min(ENOUGH_IDF, ENOUGH_OF_RAREST * rarest_idf(len(paths)))
        self._index_page = np.array([is_index(path) for path in paths], np.float32)

        directories = [path.rpartition("/")[0] for path in paths]
        self._depth = np.array([_depth(folder) for folder in self._folders])
        self._document_depth = np.array([_depth(directory) for directory in directories])
        self._ancestors, self._document_ancestors = _shared(
            [_prefixes(folder) for folder in self._folders], [_prefixes(directory) for directory in directories]
        )
        # One row per folder and level: "hardware/can-bus" has the levels "hardware" and "can-bus".
        levels = [(row, level, name) for row, folder in enumerate(self._folders) for level, name in _levels(folder)]
        self._level_folder = np.array([row for row, _, _ in levels], np.int64)
        self._level_depth = np.array([level for _, level, _ in levels], np.int64)
        names = [name for _, _, name in levels]
        words = [vocabulary.number(map(stem, name_words(name, vocabulary))) for name in names]
        self._level_words, self._title_words = _weighted_pair(words, [vocabulary.read(title) for title in titles])
        pairs = Rows.of_characters(names).pairs(), Rows.of_characters(document_stem(path) for path in paths).pairs()
        columns = np.unique(np.concatenate([pairs[0].keys, pairs[1].keys]))
        self._level_pairs, self._stem_pairs = (binary(rows.matrix(columns)) for rows in pairs)

    def scores(self, block: slice) -> dict[str, Scores]:
        """Named scores, (pictures of the block, documents)."""
        wanted = self._of_image[block]
        folders = np.unique(np.fromiter((row for rows in wanted for row in rows), np.int64))
        common = dense(self._ancestors[folders] @ self._document_ancestors)
        up = self._depth[folders][:, None] - common
        distance = up + 0.5 * (self._document_depth[None, :] - common)
        overlap, private, alike = self._level_scores(folders, common)
        place = {folder: row for row, folder in enumerate(folders.tolist())}
        of_image = [[place[row] for row in rows] for rows in wanted]
        return {
            "path_distance": -_best(-distance, of_image),
            "folder_overlap": relative(_best(overlap, of_image), self._enough_overlap),
            "folder_name": _best(private, of_image) ** 3,
            "folder_like": relative(_best(alike, of_image), ENOUGH_LIKENESS) ** 3,
            "index_page": np.broadcast_to(self._index_page, (len(wanted), len(self._index_page))),
        }

    def _level_scores(self, folders: NDArray[np.int64], common: Scores) -> tuple[Scores, Scores, Scores]:
        """Word overlap and likeness of the private levels, and likeness of all levels: (folders, documents).

        Private are the levels below the directory that folder and document share: else every page of a directory
        would match the directory's own name.
        """
        shape = (len(folders), common.shape[1])
        overlap, private, alike = (np.zeros(shape, np.float32) for _ in range(3))
        rows = np.flatnonzero(np.isin(self._level_folder, folders))
        owner = np.searchsorted(folders, self._level_folder[rows])
        below = self._level_depth[rows][:, None] > common[owner]
        np.add.at(overlap, owner, dense(self._level_words[rows] @ self._title_words) * below)
        shared = dense(self._level_pairs[rows] @ self._stem_pairs.T)
        sizes = np.diff(self._level_pairs.indptr)[rows][:, None] + np.diff(self._stem_pairs.indptr)[None, :]
        likeness = (2 * shared / np.maximum(sizes, 1)).astype(np.float32)
        np.maximum.at(private, owner, likeness * below)
        np.maximum.at(alike, owner, likeness)
        return overlap, private, alike


def _best(scores: Scores, of_image: list[list[int]]) -> Scores:
    first = scores[[rows[0] for rows in of_image]]
    for image, rows in enumerate(of_image):
        for row in rows[1:]:
            first[image] = np.maximum(first[image], scores[row])
    return first


def _depth(directory: str) -> int:
    return len(directory.split("/")) if directory else 0


def _prefixes(directory: str) -> list[str]:
    parts = directory.split("/") if directory else []
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _levels(directory: str) -> list[tuple[int, str]]:
    parts = directory.split("/")
    return [(level, part) for level, part in enumerate(parts, start=1) if folder_names(part)]


def _shared(left: list[list[str]], right: list[list[str]]) -> tuple[Matrix, Matrix]:
    ids: dict[str, int] = {}
    rows = [Rows.of([[ids.setdefault(name, len(ids)) for name in names] for names in side]) for side in (left, right)]
    columns = np.arange(len(ids))
    return rows[0].matrix(columns), sparse.csr_array(rows[1].matrix(columns).T)


def _weighted_pair(words: list[list[int]], titles: list[list[int]]) -> tuple[Matrix, Matrix]:
    left, right = Rows.of(words), Rows.of(titles)
    columns = np.unique(left.keys)
    contained = binary(right.matrix(columns))
    asked = sparse.csr_array(binary(left.matrix(columns)).multiply(idf(contained)[None, :]))
    return asked, sparse.csr_array(contained.T)
