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
BLOCK_PAIRS = 1 << 22
MAX_EDGES = 1 << 22

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]


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
    count = len(words)
    left, right = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for new_left, new_right in _close_pairs(words, aspect):
        left, right = np.concatenate([left, new_left]), np.concatenate([right, new_right])
        if len(left) > MAX_EDGES:  # thousands of alike pictures have millions of pairs: keep one edge per picture
            left, right = np.arange(count), _first_of_component(_connected(left, right, count))
    return _connected(left, right, count)


def _close_pairs(words: Words, aspect: NDArray[np.float64]) -> Iterator[tuple[Indices, Indices]]:
    bits = np.unpackbits(words.astype(">u8").view(np.uint8).reshape(len(words), -1), axis=1)
    weight = bits.sum(axis=1, dtype=np.int64)
    for band in BANDS:
        packed = np.packbits(bits[:, band], axis=1)
        _, bucket = np.unique(packed, axis=0, return_inverse=True)
        # Inside a bucket pictures are in the order of their number of set bits, which differs by at most MAX_DISTANCE
        # between neighbours in the sense sought: only a window is compared.
        order = np.lexsort((weight, bucket.ravel()))
        place = bucket.ravel()[order] * (2 * HASH_BITS) + weight[order]
        ends = np.searchsorted(place, place + MAX_DISTANCE, side="right")
        yield from _pairs_in_windows(order, ends, words, aspect)


def _pairs_in_windows(
    order: Indices, ends: Indices, words: Words, aspect: NDArray[np.float64]
) -> Iterator[tuple[Indices, Indices]]:
    """Compare each picture with those after it up to its end, about BLOCK_PAIRS pairs at a time."""
    lengths = ends - np.arange(len(ends)) - 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    start = 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(offsets, offsets[start] + BLOCK_PAIRS, side="right")) - 1)
        first = np.repeat(np.arange(start, stop), lengths[start:stop])
        second = (
            first + 1 + np.arange(len(first)) - np.repeat(offsets[start:stop] - offsets[start], lengths[start:stop])
        )
        left, right = order[first], order[second]
        near = np.abs(aspect[left] - aspect[right]) <= np.log(MAX_ASPECT_RATIO) + 1e-9
        left, right = left[near], right[near]
        distance = np.bitwise_count(words[left] ^ words[right]).sum(axis=1, dtype=np.int64)
        close = distance <= MAX_DISTANCE
        yield left[close], right[close]
        start = stop


def _connected(left: Indices, right: Indices, count: int) -> Indices:
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _first_of_component(component: Indices) -> Indices:
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)
