"""The fingerprint of a collection's inputs: it follows content, survives a short tick, and says what is away."""

import os
import shutil
import time

import pytest

from kg_pipeline.inputs import list_inputs, scan_inputs


@pytest.fixture
def scan(make_collection, tmp_path):
    docs = tmp_path / "docs"
    (docs / "img").mkdir(parents=True)
    (docs / "a.md").write_text("# A\n", encoding="utf-8")
    (docs / "b.md").write_text("# B\n", encoding="utf-8")
    (docs / "img" / "one.png").write_bytes(b"one")
    age(docs)

    def scan(seconds: float = 60, **sections):
        return scan_inputs(make_collection(**sections), tmp_path / "memory.parquet", time.monotonic() + seconds)

    return scan


def age(folder, seconds: float = 3600) -> None:
    """Make the files look old, so that their times tell one content from another."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def test_the_same_files_have_the_same_fingerprint_whatever_their_times(scan, tmp_path):
    first = scan()
    assert first.fingerprint
    assert (first.files, first.read) == (3, 3)
    age(tmp_path / "docs", 7200)
    shutil.copytree(tmp_path / "docs", tmp_path / "again")
    shutil.rmtree(tmp_path / "docs")
    (tmp_path / "again").rename(tmp_path / "docs")
    assert scan().fingerprint == first.fingerprint


def test_a_file_rewritten_under_the_same_name_size_and_time_is_seen(scan, tmp_path):
    first, file = scan(), tmp_path / "docs" / "a.md"
    times = file.stat()
    file.write_text("# Z\n", encoding="utf-8")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.stat().st_size == times.st_size
    assert scan().fingerprint != first.fingerprint


@pytest.mark.parametrize("change", ["renamed", "vanished", "new", "unreadable"])
def test_a_file_that_is_not_what_it_was_is_seen_and_its_return_too(scan, tmp_path, change):
    first, file = scan(), tmp_path / "docs" / "img" / "one.png"
    aside = tmp_path / "aside.png"
    shutil.copy2(file, aside)
    if change == "renamed":
        file.rename(file.with_name("two.png"))
    elif change == "vanished":
        file.unlink()
    elif change == "new":
        shutil.copy2(file, file.with_name("two.png"))
    else:
        file.unlink()
        file.symlink_to(file.name)  # which nobody can open, root neither
    changed = scan()
    assert changed.fingerprint
    assert changed.fingerprint != first.fingerprint
    assert scan().fingerprint == changed.fingerprint
    for path in file.parent.iterdir():
        path.unlink()
    shutil.copy2(aside, file)
    assert scan().fingerprint == first.fingerprint


def test_what_did_not_change_is_not_read_again(scan, tmp_path):
    scan()
    time.sleep(2.1)  # a file just written is not trusted to keep its look
    scan()
    assert scan().read == 0
    (tmp_path / "docs" / "a.md").write_text("# A, longer\n", encoding="utf-8")
    assert scan().read == 1


def test_a_scan_without_time_reads_a_file_and_the_next_goes_on(scan, tmp_path):
    time.sleep(2.1)
    steps = []
    while not steps or steps[-1].fingerprint is None:
        steps.append(scan(seconds=-1))
    assert [step.pending for step in steps] == [2, 1, 0]
    assert steps[-1].fingerprint == scan_from_nothing(scan, tmp_path)


def scan_from_nothing(scan, tmp_path):
    (tmp_path / "memory.parquet").unlink()
    return scan().fingerprint


def test_another_configuration_is_another_input(scan):
    assert scan().fingerprint != scan(kept={"max_rank": 1}).fingerprint


@pytest.mark.parametrize("place", ["docs", "more"])
def test_a_place_that_is_away_is_a_problem_and_no_state(scan, tmp_path, place):
    (tmp_path / "more").mkdir()
    images = [{"folder": str(tmp_path / "more")}]
    first = scan(images=images)
    (tmp_path / place).rename(tmp_path / "away")
    away = scan(images=images)
    assert away.fingerprint is None
    assert str(tmp_path / place) in away.problems[0]
    (tmp_path / "away").rename(tmp_path / place)
    assert scan(images=images).fingerprint == first.fingerprint


def test_a_memory_that_is_no_table_is_made_anew(scan, tmp_path):
    first = scan()
    (tmp_path / "memory.parquet").write_bytes(b"nothing")
    assert scan().fingerprint == first.fingerprint


def test_archives_manifests_and_the_glossary_count(make_collection, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "pictures.zip").write_bytes(b"zip")
    (tmp_path / "list.csv").write_text("path\nloose.png\n", encoding="utf-8")
    (tmp_path / "loose.png").write_bytes(b"png")
    (tmp_path / "words.csv").write_text("name,aliases,description\n", encoding="utf-8")
    collection = make_collection(
        images=[{"archive": "pictures.zip"}, {"manifest": "list.csv"}], concepts={"glossary": "words.csv"}
    )
    names = {entry.file.name for entry in list_inputs(collection)}
    assert names == {"pictures.zip", "list.csv", "loose.png", "words.csv"}


def test_links_that_lead_to_themselves_are_no_reason_to_stop(scan, tmp_path):
    for name in ("loop", "loop.md", "loop.png"):
        (tmp_path / "docs" / name).symlink_to(name)
    assert scan().fingerprint
