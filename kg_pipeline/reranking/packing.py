"""Pure packing: prompts that share a beginning become trees, trees become rows of at most so many tokens.

A tree is a prefix and its branches; every token of a branch sees the prefix and the branch up to itself, as if the
branch alone followed the prefix. Nothing here knows of tensors or models.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

BLOCK = 128
"""Row sizes on a GPU are multiples of the block of FlexAttention."""
GROWTH = 1.1
"""Ratio of neighbouring row sizes: a row is padded by at most a tenth, and few sizes are ever compiled."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """Consecutive tokens of a prompt, with at most one image among them."""

    tokens: Ints
    image: int | None = None
    """Index of the image whose features replace the image tokens."""
    image_start: int = 0
    grid: tuple[int, int] = (0, 0)
    """Height and width of the image in tokens."""

    def positions(self, start: int) -> tuple[Ints, int]:
        """M-RoPE positions [3, tokens] (time, height, width) from `start`, and the position after the last.

        Text counts up in all three; an image stands still in time and spans its grid; what follows it starts after
        the longer side (Qwen2-VL, arXiv 2409.12191, section 2.1; equals `get_rope_index`).
        """
        count = len(self.tokens)
        if self.image is None:
            return np.broadcast_to(np.arange(start, start + count), (3, count)), start + count
        height, width = self.grid
        first, after = self.image_start, self.image_start + height * width
        positions = np.empty((3, count), dtype=np.int64)
        positions[:, :first] = np.arange(start, start + first)
        corner = start + first
        positions[0, first:after] = corner
        positions[1, first:after] = corner + np.repeat(np.arange(height), width)
        positions[2, first:after] = corner + np.tile(np.arange(width), height)
        resume = corner + max(height, width)
        positions[:, after:] = np.arange(resume, resume + count - after)
        return positions, resume + count - after


@dataclass(frozen=True)
class Branch:
    """The end of one prompt; `pair` says whose score its last token gives."""

    segment: Segment
    pair: tuple[int, int]


@dataclass(frozen=True)
class Tree:
    """A shared prefix and the ends of the prompts that begin with it."""

    prefix: Segment
    branches: tuple[Branch, ...]

    def __len__(self) -> int:
        return len(self.prefix.tokens) + sum(len(branch.segment.tokens) for branch in self.branches)


@dataclass(frozen=True)
class TreeSpan:
    """Where a tree lies in its row."""

    start: int
    prefix_end: int
    branch_ends: tuple[int, ...]

    @property
    def end(self) -> int:
        """After its last token."""
        return self.branch_ends[-1]


@dataclass(frozen=True)
class Row:
    """One forward: trees one after the other."""

    trees: tuple[Tree, ...]

    def __len__(self) -> int:
        return sum(map(len, self.trees))


@dataclass(frozen=True)
class Layout:
    """A row laid out token by token, padded to its size."""

    tokens: Ints
    positions: Ints
    """[3, size]"""
    tree: Ints
    """Number of the tree of each token; padding is a tree of its own."""
    branch: Ints
    """0 for a prefix, else the number of the branch within its tree."""
    spans: tuple[TreeSpan, ...]
    images: tuple[tuple[int, int, int], ...]
    """(image, first token, token after the last) of every image in the row, in its order."""
    last: Ints
    """The last token of every branch, in the order of `pairs`."""
    pairs: tuple[tuple[int, int], ...]


def pack(trees: Iterable[Tree], budget: int) -> Iterator[Row]:
    """Fill rows up to `budget` tokens; a tree that does not fit is split, its prefix repeated in the next row.

    A single prompt longer than the budget makes a row of its own. Rows come as soon as they are full.
    """
    open_trees: list[Tree] = []
    room = budget
    for tree in trees:
        branches = tree.branches
        while branches:
            fitting = _fitting(len(tree.prefix.tokens), branches, room)
            # A prefix in two rows is computed twice: rather than that, a row is left when it is half full.
            if fitting < len(branches) and room < budget // 2:
                fitting = 0
            if not fitting and open_trees:
                yield Row(tuple(open_trees))
                open_trees, room = [], budget
                continue
            part = replace(tree, branches=branches[: max(1, fitting)])
            open_trees.append(part)
            room -= len(part)
            branches = branches[len(part.branches) :]
            if room <= 0 or branches:
                yield Row(tuple(open_trees))
                open_trees, room = [], budget
    if open_trees:
        yield Row(tuple(open_trees))


def _fitting(prefix: int, branches: tuple[Branch, ...], room: int) -> int:
    used = prefix
    for count, branch in enumerate(branches):
        used += len(branch.segment.tokens)
        if used > room:
            return count
    return len(branches)


def padded_size(length: int, budget: int) -> int:
    """The smallest row size that holds `length` tokens; sizes are the budget and tenth-smaller steps below it."""
    size = _blocks(max(budget, length))
    while (smaller := min(_blocks(size / GROWTH), size - BLOCK)) >= max(length, BLOCK):
        size = smaller
    return size


def _blocks(tokens: float) -> int:
    return math.ceil(tokens / BLOCK) * BLOCK


def lay_out(row: Row, size: int | None = None, padding_token: int = 0) -> Layout:
    """Lay a row out, padded to `size` tokens."""
    length = len(row)
    size = length if size is None else size
    tokens = np.full(size, padding_token, dtype=np.int64)
    positions = np.zeros((3, size), dtype=np.int64)
    tree_of = np.full(size, len(row.trees), dtype=np.int64)
    branch_of = np.zeros(size, dtype=np.int64)
    spans, images, last, pairs = [], [], [], []
    at = 0

    def place(segment: Segment, tree: int, branch: int, start: int) -> int:
        nonlocal at
        end = at + len(segment.tokens)
        tokens[at:end], tree_of[at:end], branch_of[at:end] = segment.tokens, tree, branch
        positions[:, at:end], after = segment.positions(start)
        if segment.image is not None:
            first = at + segment.image_start
            images.append((segment.image, first, first + segment.grid[0] * segment.grid[1]))
        at = end
        return after

    for number, tree in enumerate(row.trees):
        begin = at
        resume = place(tree.prefix, number, 0, 0)
        prefix_end, ends = at, []
        for count, branch in enumerate(tree.branches, start=1):
            place(branch.segment, number, count, resume)
            ends.append(at)
            last.append(at - 1)
            pairs.append(branch.pair)
        spans.append(TreeSpan(begin, prefix_end, tuple(ends)))
    return Layout(
        tokens, positions, tree_of, branch_of, tuple(spans), tuple(images), np.array(last, dtype=np.int64), tuple(pairs)
    )
