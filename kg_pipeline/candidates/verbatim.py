"""Which of many strings stand verbatim in which of many texts, without comparing each with each."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

ANCHORS = (24, 12, 6, 3, 2)
"""A string is looked up by as many of its first characters as it has of these; 3 and 2 are mostly Chinese."""
BATCH_CHARACTERS = 2_000_000
"""Texts are read in batches, about ten arrays of 8 bytes per character: 160 MB."""

Integers = NDArray[np.int64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that powers never vanish modulo 2^64


def occurrences(needles: Sequence[str], texts: Sequence[str]) -> tuple[Integers, Integers]:
    """Index of needle and index of text of every containment, distinct and sorted; needles under 2 characters never.

    Rolling hashes of many texts behind one another: anchors narrow down the places, the hash of the whole needle
    decides. 64-bit hashes, so a chance hit is about as likely as a broken disk.
    """
    found = [_in_batch(needles, texts[start:stop], start) for start, stop in _batches(texts)]
    pairs = np.unique(np.concatenate([np.empty((2, 0), np.int64), *found], axis=1), axis=1)
    return pairs[0], pairs[1]


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for stop, text in enumerate(texts, start=1):
        size += len(text)
        if size >= BATCH_CHARACTERS or stop == len(texts):
            yield start, stop
            start, size = stop, 0


def _in_batch(needles: Sequence[str], texts: Sequence[str], first: int) -> Integers:
    """Needle and text, (2, containments); `first` is the index of the first text."""
    codes = _codes("\n".join(texts))
    lengths = np.array([len(text) for text in texts], np.int64)
    starts = np.cumsum(lengths + 1) - lengths - 1
    prefix = _prefix_hashes(codes)
    powers = np.concatenate([np.ones(1, np.uint64), np.cumprod(np.full(len(codes), _BASE))])
    sizes = np.array([len(needle) for needle in needles], np.int64)
    found = [np.empty((2, 0), np.int64)]
    for anchor, longer in zip(ANCHORS, (np.iinfo(np.int64).max, *ANCHORS), strict=False):
        mine = np.flatnonzero((sizes >= anchor) & (sizes < longer))
        if not len(mine) or len(codes) < anchor:
            continue
        anchors = np.array([_hash(needles[index][:anchor]) for index in mine.tolist()], np.uint64)
        wholes = np.array([_hash(needles[index]) for index in mine.tolist()], np.uint64)
        order = np.argsort(anchors, kind="stable")
        mine, anchors, wholes = mine[order], anchors[order], wholes[order]
        rolling = prefix[anchor:] - prefix[:-anchor] * powers[anchor]
        low, high = np.searchsorted(anchors, rolling, "left"), np.searchsorted(anchors, rolling, "right")
        places = np.flatnonzero(high > low)
        repeats = (high - low)[places]
        place = np.repeat(places, repeats)
        needle = np.arange(len(place)) - np.repeat(np.cumsum(repeats) - repeats - low[places], repeats)
        end = place + sizes[mine[needle]]
        fits = end <= len(codes)
        place, needle, end = place[fits], needle[fits], end[fits]
        same = prefix[end] - prefix[place] * powers[end - place] == wholes[needle]
        found.append(np.stack([mine[needle[same]], np.searchsorted(starts, place[same], "right") - 1 + first]))
    return np.unique(np.concatenate(found, axis=1), axis=1)


def _codes(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


def _prefix_hashes(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """h[i] = sum of codes[j] * base^(i-1-j) for j < i, modulo 2^64."""
    hashes = np.zeros(len(codes) + 1, np.uint64)
    # h[i] / base^i is a running sum; base is odd, so it has an inverse modulo 2^64.
    inverse = np.uint64(pow(int(_BASE), -1, 1 << 64))
    down = np.cumprod(np.full(len(codes), inverse))
    up = np.cumprod(np.full(len(codes), _BASE))
    hashes[1:] = np.cumsum(codes * down) * up
    return hashes


def _hash(text: str) -> np.uint64:
    value = 0
    for character in text:
        value = (value * int(_BASE) + ord(character)) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(value)
