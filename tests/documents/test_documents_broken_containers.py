"""Broken files of every format with pictures inside: never a crash of the run, never longer than the limit, counted."""

import random
from hashlib import sha256

import pytest
from small_office import FILES

from kg_pipeline.config import Limits
from kg_pipeline.documents.formats import format_of
from kg_pipeline.documents.opening import ToOpen, open_documents, take_apart
from kg_pipeline.documents.shelf import Shelf


def mutated(data: bytes, seed: int) -> bytes:
    """`data` cut, or with bytes flipped, doubled, taken out or put in."""
    chance = random.Random(seed)
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10, 50))):
        place = chance.randrange(len(broken)) if broken else 0
        match chance.randrange(6):
            case 0:
                broken[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del broken[place : place + chance.randrange(1, 200)]
            case 2:
                broken[place:place] = broken[place : place + chance.randrange(1, 200)]
            case 3:
                broken[place:place] = chance.randbytes(chance.randrange(1, 40))
            case 4:
                broken[place : place + 4] = chance.choice(
                    (b"\xff" * 4, b"\0" * 4, b"9999", b"<<<<", b"\x7f" + b"\xff" * 3)
                )
            case _:
                broken = broken[: place + 1] if chance.random() < 0.2 else broken
    return bytes(broken)


def read_mutations(suffix: str, count: int, tmp_path) -> dict[str, int]:
    """How many of `count` broken files ended with which status; every one of them has an entry on the shelf."""
    form, shelf = format_of(f"file{suffix}"), Shelf(tmp_path / "shelf")
    good = FILES[suffix]()
    items = []
    for seed in range(count):
        data = mutated(good, seed)
        file = tmp_path / f"{seed}{suffix}"
        file.write_bytes(data)
        items.append(ToOpen(file, sha256(data).hexdigest(), form))
    open_documents(items, shelf, Limits(document_seconds=20, document_memory=500_000_000), 2)
    counts: dict[str, int] = {}
    for item in items:
        entry = shelf.load(item.sha256, form)
        assert entry is not None
        assert (entry.error is None) == (entry.status == "ok")
        counts[entry.status] = counts.get(entry.status, 0) + 1
    return counts


@pytest.mark.parametrize("suffix", FILES)
def test_mutated_files_are_read_or_counted(suffix, tmp_path):
    counts = read_mutations(suffix, 50, tmp_path)
    assert sum(counts.values()) == 50
    assert set(counts) <= {"ok", "unreadable", "skipped"}


@pytest.mark.soak
@pytest.mark.parametrize("suffix", FILES)
def test_a_thousand_mutated_files_are_read_or_counted(suffix, tmp_path):
    counts = read_mutations(suffix, 1000, tmp_path)
    assert sum(counts.values()) == 1000


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_truncated_files_are_read_or_counted(suffix, share, tmp_path):
    good = FILES[suffix]()
    data = good[: int(len(good) * share)]
    (tmp_path / "cut").write_bytes(data)
    shelf = Shelf(tmp_path / "shelf")
    item = ToOpen(tmp_path / "cut", sha256(data).hexdigest(), format_of(f"file{suffix}"))
    take_apart(shelf, Limits(), item)
    entry = shelf.load(item.sha256, item.form)
    assert entry is not None
    assert entry.status == "ok" or entry.error
