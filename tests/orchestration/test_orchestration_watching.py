"""The rules that warn, on tables with one trouble each."""

import os

import pytest

from kg_pipeline.orchestration.checks import other_schemas
from kg_pipeline.orchestration.watching import (
    RULES,
    Subject,
    calibration_present,
    candidate_coverage,
    edges_changed,
    files_changed_since,
    unreadable_sources,
)
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES


@pytest.fixture
def subject(make_collection, tmp_path):
    """A collection of one document, on disk as in its tables."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n", encoding="utf-8")
    store = TableStore(tmp_path / "home")
    rows = {"documents": [{"document_id": "d", "path": "a.md", "format": "markdown", "bytes": 4, "status": "ok"}]}
    for table in TABLES:
        store.write(table, "test", TABLES[table].rows(rows.get(table, [])))
    return Subject(make_collection(), store, lambda asset: {})


def put(subject: Subject, table: str, *rows: dict) -> Subject:
    subject.store.write(table, "test", TABLES[table].rows(list(rows)))
    return subject


def test_with_nothing_wrong_no_rule_warns(subject):
    found = {rule.name: rule.find(subject) for rule in RULES}
    assert [name for name, finding in found.items() if not finding.passed] == []


@pytest.mark.parametrize("status", ["unreadable", "skipped", "stale"])
def test_a_picture_or_document_that_was_not_read_is_named(subject, status):
    put(subject, "image_files", {"path": "img/x.png", "status": status, "error": "cut off"})
    finding = unreadable_sources(subject)
    assert not finding.passed
    assert "img/x.png" in finding.figures["examples"]
    put(subject, "image_files")
    put(subject, "documents", {"document_id": "d", "path": "b.md", "format": "markdown", "status": status})
    assert "b.md" in unreadable_sources(subject).figures["examples"]


def test_a_picture_inside_a_document_is_not_missed_among_the_files(subject):
    put(subject, "image_files", {"path": "a.md/p3-1.png", "bytes": 9, "status": "ok"})
    assert files_changed_since(subject).passed
    put(subject, "image_files", {"path": "b.md/p3-1.png", "bytes": 9, "status": "ok"})
    assert not files_changed_since(subject).passed


def pairs(*images: str, strategies=("lexical",)) -> list[dict]:
    return [
        {"image_id": image, "text_kind": "chunk", "text_id": "c", "position": 1, "strategies": list(strategies)}
        for image in images
    ]


def test_pictures_without_candidates_are_counted(subject):
    put(subject, "chunks", {"chunk_id": "c", "document_id": "d", "index": 0, "text": "A"})
    put(subject, "images", *({"image_id": name, "path": name, "role": "content"} for name in "abcd"))
    put(subject, "candidate_pairs", *pairs("a", "b", "c"))
    assert candidate_coverage(subject).figures["share of pictures with candidates"] == 0.75
    assert not candidate_coverage(subject).passed
    put(subject, "candidate_pairs", *pairs(*"abcd"))
    assert candidate_coverage(subject).passed


def test_pairs_that_only_their_reference_proposes_are_not_found_by_blocking(subject):
    names = [f"i{number}" for number in range(30)]
    put(subject, "chunks", {"chunk_id": "c", "document_id": "d", "index": 0, "text": "A"})
    put(subject, "images", *({"image_id": name, "path": name, "role": "content"} for name in names))
    put(
        subject,
        "references",
        *({"document_id": "d", "line": 1, "chunk_id": "c", "image_id": name, "status": "ok"} for name in names),
    )
    put(subject, "candidate_pairs", *pairs(*names[:15]), *pairs(*names[15:], strategies=("reference",)))
    finding = candidate_coverage(subject)
    assert finding.figures["share of them that blocking proposes"] == 0.5
    assert not finding.passed


@pytest.mark.parametrize(
    ("added", "removed", "passed"), [(0, 0, True), (10, 10, True), (40, 0, False), (0, 40, False), (20, 20, False)]
)
def test_many_changed_edges_warn(subject, added, removed, passed):
    said = {"edges": 100 + added - removed, "edges_before": 100, "edges_added": added, "edges_removed": removed}
    assert edges_changed(Subject(subject.collection, subject.store, lambda asset: said)).passed is passed


def test_the_first_run_and_a_small_collection_change_without_a_warning(subject):
    for said in ({"edges": 100}, {"edges": 5, "edges_before": 3, "edges_added": 2, "edges_removed": 0}):
        assert edges_changed(Subject(subject.collection, subject.store, lambda asset, said=said: said)).passed


def test_a_calibration_of_another_scorer_is_none(subject):
    put(subject, "pair_scores", {"image_id": "i", "text_kind": "chunk", "text_id": "c", "scorer": "new/1"})
    put(subject, "calibrators", {"version": 1, "text_kind": "chunk", "scorer": "old/1", "slope": 1.0, "intercept": 0.0})
    assert "new/1" in calibration_present(subject).text
    assert not calibration_present(subject).passed
    put(subject, "calibrators", {"version": 1, "text_kind": "chunk", "scorer": "new/1", "slope": 1.0, "intercept": 0.0})
    assert calibration_present(subject).passed


def test_new_gone_and_altered_files_are_told_apart(subject, tmp_path):
    docs = tmp_path / "docs"
    (docs / "b.md").write_text("# B\n", encoding="utf-8")
    (docs / "img.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert (files_changed_since(subject).figures["new"], files_changed_since(subject).passed) == (2, False)
    (docs / "b.md").unlink()
    (docs / "img.png").unlink()
    (docs / "a.md").write_text("# A, longer\n", encoding="utf-8")
    assert files_changed_since(subject).figures["altered"] == 1
    (docs / "a.md").write_text("# B\n", encoding="utf-8")
    later = subject.store.path("documents", "test").stat().st_mtime + 5
    os.utime(docs / "a.md", (later, later))
    assert files_changed_since(subject).figures["altered"] == 1
    (docs / "a.md").unlink()
    assert files_changed_since(subject).figures["gone"] == 1


def test_a_table_of_another_version_does_not_fit(subject):
    assert other_schemas(subject.store, "test") == {}
    path = subject.store.path("images", "test")
    TABLES["images"].empty().drop("role").write_parquet(path)
    assert other_schemas(subject.store, "test") == {"images": 1}
