"""The tree of directories that documents lie in: how far each is from a folder, which are nearest, how many how far."""

import heapq
from collections import defaultdict
from itertools import count as counter

import numpy as np
from numpy.typing import NDArray

UP, DOWN = 1.0, 0.5
"""Cost of a step from the folder of a picture up and down again to the directory of a document."""


class Directories:
    """The directories of documents, by row of document."""

    def __init__(self, directories: list[str]) -> None:
        self._documents: dict[str, list[int]] = defaultdict(list)
        for row, directory in enumerate(directories):
            self._documents[directory].append(row)
        self._below: dict[str, list[str]] = defaultdict(list)
        known = {ancestor for directory in self._documents for ancestor in ["", *_ancestors(directory)]}
        for directory in sorted(known - {""}):
            self._below[directory.rpartition("/")[0]].append(directory)
        self._ids = {directory: number for number, directory in enumerate(sorted(known))}
        self.depth = np.array([depth(directory) for directory in directories], np.float32)
        self._levels = self._rows(directories, -1)

    def distances(self, folders: list[str]) -> "Distances":
        """What is needed to tell how far documents are from these folders."""
        levels = self._rows(folders, -2)
        return Distances(self, levels, np.array([depth(folder) for folder in folders], np.float32))

    def nearest(self, folder: str, count: int) -> list[int]:
        """About `count` nearest documents, at least as many as there are; of those equally far the first rows."""
        while folder and folder not in self._ids:
            folder = folder.rpartition("/")[0]  # as far from everything as the first directory above that is known
        order = counter()
        queue: list[tuple[float, int, str, bool]] = [(0.0, next(order), folder, True)]
        found: list[int] = []
        seen: set[str] = set()
        while queue and len(found) < count:
            cost, _, directory, may_rise = heapq.heappop(queue)
            if directory not in seen:
                seen.add(directory)
                found += self._documents.get(directory, [])[:count]
                for below in self._below.get(directory, [])[: 4 * count]:
                    heapq.heappush(queue, (cost + DOWN, next(order), below, False))
            if may_rise and directory:
                heapq.heappush(queue, (cost + UP, next(order), directory.rpartition("/")[0], True))
        return found

    def sums(self, folders: list[str], weights: NDArray[np.float64], decay: float) -> NDArray[np.float64]:
        """For each folder the sum over all documents of weight * exp(-decay * distance)."""
        shrunk = weights * np.exp(-decay * DOWN * self.depth)
        inside = np.zeros(len(self._ids) + 1)
        for level in range(self._levels.shape[1]):
            known = self._levels[:, level] >= 0
            np.add.at(inside, self._levels[known, level], shrunk[known])
        total = np.full(len(folders), shrunk.sum())
        sums = np.zeros(len(folders))
        levels = self._rows(folders, -2)
        own_depth = np.array([depth(folder) for folder in folders])
        for level in range(levels.shape[1] + 1):
            # Documents that share exactly `level` directories with the folder: distance = up + 0.5 down.
            deeper = np.zeros(len(folders))
            if level < levels.shape[1]:
                deeper = np.where(levels[:, level] >= 0, inside[levels[:, level]], 0)
            sums += (total - deeper) * np.exp(-decay * (UP * (own_depth - level) - DOWN * level))
            total = deeper
        return sums

    def _rows(self, folders: list[str], unknown: int) -> NDArray[np.int32]:
        """Number of the ancestor of each level, (folders, levels); `unknown` where there is none."""
        ancestors = [_ancestors(folder) for folder in folders]
        levels = max(map(len, ancestors), default=0)
        padded = [
            [self._ids.get(name, unknown) for name in names] + [unknown] * (levels - len(names)) for names in ancestors
        ]
        return np.array(padded, np.int32).reshape(len(folders), levels)


class Distances:
    """How far documents are from some folders."""

    def __init__(self, directories: Directories, levels: NDArray[np.int32], depths: NDArray[np.float32]) -> None:
        self._directories, self._levels, self._depths = directories, levels, depths

    def common(self, folders: NDArray[np.int64], documents: NDArray[np.int32]) -> NDArray[np.float32]:
        """How many directories folder `folders[i]` shares with each document of `documents[i]`."""
        of_documents = self._directories._levels
        shared = np.zeros(documents.shape, np.float32)
        for level in range(min(self._levels.shape[1], of_documents.shape[1])):
            shared += self._levels[folders, level][:, None] == of_documents[:, level][documents]
        return shared

    def of(
        self, folders: NDArray[np.int64], documents: NDArray[np.int32], common: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Directories up from the folder and half of those down to the document."""
        up = self._depths[folders][:, None] - common
        return np.asarray(UP * up + DOWN * (self._directories.depth[documents] - common), np.float32)


def depth(directory: str) -> int:
    """Number of directories in the path."""
    return len(directory.split("/")) if directory else 0


def _ancestors(directory: str) -> list[str]:
    parts = directory.split("/") if directory else []
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]
