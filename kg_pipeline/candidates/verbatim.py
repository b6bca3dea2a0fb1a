"""Which of many strings stand verbatim in which of many texts, without comparing each with each."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kg_pipeline.candidates.sparse import Columns, Growing, Rows

ANCHORS = (32, 24, 20, 16, 14, 12, 10, 8, 6, 3, 2)
"""A string is looked up by as many of its first characters as it has of these; 3 and 2 are mostly Chinese. In large
steps many lines share their first word, and each place of that word is tried for all of them: 300,000 lines in 10,000
passages take 0.7 s, with (24, 12, 6, 3, 2) 2.5 s."""
BATCH_CHARACTERS = 2_000_000
"""Texts are read in batches, about ten arrays of 8 bytes per character: 160 MB."""

Integers = NDArray[np.int64]

_TEXT_BITS = 32
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that powers never vanish modulo 2^64


def occurrences(needles: Sequence[str], texts: Iterable[Iterable[str]]) -> tuple[Integers, Integers]:
    """Index of needle and index of text of every containment, distinct and sorted; needles under 2 characters never.

    `texts` come in batches and are counted through.

    Rolling hashes of many texts behind one another: anchors narrow down the places, the hash of the whole needle
    decides. 64-bit hashes, so a chance hit is about as likely as a broken disk.
    """
    anchors = [_Anchors(needles, size, longer) for size, longer in zip(ANCHORS, (None, *ANCHORS), strict=False)]
    found = Growing(np.int64)
    for batch, first in _batches(texts):
        found.append(_in_batch(anchors, batch, first))
    # Needle and text in one number each, sorted in place: in a large collection there are tens of millions.
    pairs = found.array
    pairs.sort()
    return pairs >> _TEXT_BITS, pairs & ((1 << _TEXT_BITS) - 1)


def _batches(texts: Iterable[Iterable[str]]) -> Iterator[tuple[list[str], int]]:
    """Texts to be read at once and the number of the first."""
    batch: list[str] = []
    first = size = 0
    for part in texts:
        for text in part:
            batch.append(text)
            size += len(text)
            if size >= BATCH_CHARACTERS:
                yield batch, first
                first, size, batch = first + len(batch), 0, []
    if batch:
        yield batch, first


class _Anchors:
    """The needles that are looked up by their first `size` characters, in the order of the hash of those."""

    def __init__(self, needles: Sequence[str], size: int, longer: int | None) -> None:
        """Those of at least `size` characters and fewer than `longer`."""
        mine = [
            index for index, needle in enumerate(needles) if size <= len(needle) and len(needle) < (longer or 1 << 30)
        ]
        anchors = np.array([_hash(needles[index][:size]) for index in mine], np.uint64)
        order = np.argsort(anchors, kind="stable")
        self.size = size
        self.needles = np.array(mine, np.int64)[order]
        self.lengths = np.array([len(needles[index]) for index in mine], np.int64)[order]
        self.wholes = np.array([_hash(needles[index]) for index in mine], np.uint64)[order]
        self._sorted = anchors[order]
        self._columns = Columns(Rows(anchors, np.array([len(anchors)])))

    def places(self, rolling: NDArray[np.uint64]) -> tuple[Integers, Integers]:
        """Where a needle may begin, and its row here."""
        places, column = self._columns.find(rolling)
        first = np.searchsorted(self._sorted, self._columns.keys, "left")[column]
        repeats = np.searchsorted(self._sorted, self._columns.keys, "right")[column] - first
        row = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats - first, repeats)
        return np.repeat(places, repeats), row


def _in_batch(anchors: Sequence[_Anchors], texts: Sequence[str], first: int) -> Integers:
    """Distinct numbers of a needle and, in the lower bits, a text; `first` is the index of the first text."""
    codes = _codes("\n".join(texts))
    lengths = np.array([len(text) for text in texts], np.int64)
    starts = np.cumsum(lengths + 1) - lengths - 1
    prefix = _prefix_hashes(codes)
    powers = np.concatenate([np.ones(1, np.uint64), np.cumprod(np.full(len(codes), _BASE))])
    found = [np.empty(0, np.int64)]
    for anchor in anchors:
        if not len(anchor.needles) or len(codes) < anchor.size:
            continue
        place, row = anchor.places(prefix[anchor.size :] - prefix[: -anchor.size] * powers[anchor.size])
        end = place + anchor.lengths[row]
        fits = end <= len(codes)
        place, row, end = place[fits], row[fits], end[fits]
        same = prefix[end] - prefix[place] * powers[end - place] == anchor.wholes[row]
        text = np.searchsorted(starts, place[same], "right") - 1 + first
        found.append(anchor.needles[row[same]] << _TEXT_BITS | text)
    return np.unique(np.concatenate(found))


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
