"""Groups of look-alikes: pictures whose difference hashes are close and whose shapes agree."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_BITS = 256
MAX_DISTANCE = 6
"""Bits: as in the corpora's ground truth, where recompressed and rescaled copies stay below and next shots above."""
MAX_ASPECT_RATIO = 1.05
MIN_SIDE = 48
"""Pixels. Hashes of smaller pictures are stretched from too little."""
MIN_INFORMATION = 14
"""Bits that must differ from an empty hash on either side; more than twice MAX_DISTANCE, or else any two nearly flat
pictures would be alike and one giant group would form."""

# With at most MAX_DISTANCE bits different, at least one of MAX_DISTANCE + 1 bands is equal (pigeonhole).
BANDS = np.array_split(np.arange(HASH_BITS), MAX_DISTANCE + 1)
ROWS = 256
MAX_EDGES = 1 << 22

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]
Edges = tuple[Indices, Indices]


def duplicate_groups(images: pl.DataFrame) -> pl.DataFrame:
    """`image_id`, `duplicate_group` of every image that has a look-alike.

    `images` has columns image_id, width, height, perceptual_hash. The group is the smallest image_id of the connected
    component. Exact: every pair within the limits is found.
    """
    comparable = images.filter(
        pl.col("perceptual_hash").is_not_null() & (pl.min_horizontal("width", "height") >= MIN_SIDE)
    ).sort("image_id")
    words = hash_words(comparable["perceptual_hash"].to_list())
    set_bits = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    informative = np.minimum(set_bits, HASH_BITS - set_bits) >= MIN_INFORMATION
    comparable, words = comparable.filter(pl.Series(informative, dtype=pl.Boolean)), words[informative]
    aspect = np.log((comparable["width"] / comparable["height"]).to_numpy())
    component = _components(words, aspect)
    return (
        comparable.select("image_id", component=pl.Series(component, dtype=pl.Int64))
        .with_columns(duplicate_group=pl.col("image_id").min().over("component"), size=pl.len().over("component"))
        .filter(pl.col("size") > 1)
        .select("image_id", "duplicate_group")
        .sort("image_id")
    )


def hash_words(hashes: list[str]) -> Words:
    """Hex hashes as an array of shape (n, 4)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=">u8").astype(np.uint64).reshape(-1, HASH_BITS // 64)


def _components(words: Words, aspect: NDArray[np.float64]) -> Indices:
    """Component of each picture, for pictures described by hash and logarithm of the aspect."""
    component = np.arange(len(words))
    edges: list[Edges] = []
    for left, right in _close_pairs(words, aspect):
        new = component[left] != component[right]
        edges.append((left[new], right[new]))
        if sum(len(ends) for ends, _ in edges) > MAX_EDGES:  # thousands of alike pictures have millions of pairs
            component, edges = _joined(component, edges), []
    return _joined(component, edges)


def _close_pairs(words: Words, aspect: NDArray[np.float64]) -> Iterator[Edges]:
    bits = np.unpackbits(words.astype(">u8").view(np.uint8).reshape(-1, HASH_BITS // 8), axis=1)
    set_bits = bits.sum(axis=1, dtype=np.int64)
    for band in BANDS:
        _, bucket = np.unique(np.packbits(bits[:, band], axis=1), axis=0, return_inverse=True)
        # Pictures of one bucket stand side by side, in the order of their number of set bits. Those of close pictures
        # differ by at most MAX_DISTANCE, so that only a window has to be compared.
        place = bucket.ravel() * (2 * HASH_BITS) + set_bits
        order = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[order], place[order] + MAX_DISTANCE, side="right")
        yield from _close_in_windows(order, ends, words[order], aspect[order])


def _close_in_windows(order: Indices, ends: Indices, words: Words, aspect: NDArray[np.float64]) -> Iterator[Edges]:
    """Compare ROWS pictures at a time with all up to the end of the last one's window; what it finds beyond is true."""
    for start in range(0, len(order), ROWS):
        stop = min(start + ROWS, len(order))
        end = int(ends[stop - 1])
        distance = np.zeros((stop - start, end - start), dtype=np.uint16)
        for word in range(words.shape[1]):
            distance += np.bitwise_count(words[start:stop, word, None] ^ words[None, start:end, word])
        left, right = np.nonzero(np.triu(distance <= MAX_DISTANCE, k=1))
        left, right = left + start, right + start
        near = np.abs(aspect[left] - aspect[right]) <= np.log(MAX_ASPECT_RATIO) + 1e-9
        yield order[left[near]], order[right[near]]


def _joined(component: Indices, edges: list[Edges]) -> Indices:
    """Components after adding `edges` between pictures."""
    count = len(component)
    left = np.concatenate([np.arange(count), *(ends for ends, _ in edges)])
    right = np.concatenate([_first_of_component(component), *(ends for _, ends in edges)])
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _first_of_component(component: Indices) -> Indices:
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)
