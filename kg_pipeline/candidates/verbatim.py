"""Which of many strings stand verbatim in which of many texts, without comparing each with each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ANCHORS = (6, 3, 2)
"""A string is looked up by its first 6 characters; shorter ones, mostly Chinese, by their first 3 or 2."""

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that powers never vanish modulo 2^64


def occurrences(needles: Sequence[str], texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of needle and index of text of every containment, distinct and sorted; needles under 2 characters never.

    Rolling hashes of all texts behind one another: anchors narrow down the places, the hash of the whole needle
    decides. 64-bit hashes, so a chance hit is about as likely as a broken disk.
    """
    texts_codes = _codes("\n".join(texts))
    lengths = np.array([len(text) for text in texts], np.int64)
    starts = np.cumsum(lengths + 1) - lengths - 1
    prefix = _prefix_hashes(texts_codes)
    powers = np.concatenate([[np.uint64(1)], np.cumprod(np.full(len(texts_codes), _BASE))])
    found_needles: list[NDArray[np.int64]] = []
    found_texts: list[NDArray[np.int64]] = []
    sizes = np.array([len(needle) for needle in needles], np.int64)
    for anchor, longer in zip(ANCHORS, (None, *ANCHORS), strict=False):
        mine = np.flatnonzero((sizes >= anchor) & (sizes < (longer or np.iinfo(np.int64).max)))
        if not len(mine) or len(texts_codes) < anchor:
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
        offset = np.arange(len(place)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        needle = np.repeat(low[places], repeats) + offset
        end = place + sizes[mine[needle]]
        fits = end <= len(texts_codes)
        place, needle, end = place[fits], needle[fits], end[fits]
        same = prefix[end] - prefix[place] * powers[end - place] == wholes[needle]
        found_needles.append(mine[needle[same]])
        found_texts.append(np.searchsorted(starts, place[same], "right") - 1)
    if not found_needles:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pairs = np.unique(np.stack([np.concatenate(found_needles), np.concatenate(found_texts)]), axis=1)
    return pairs[0], pairs[1]


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
