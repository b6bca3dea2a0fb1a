import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_pipeline.orphans import find_orphans, incomplete_sources, missing_references, questionable_references
from kg_pipeline.tables import TABLES

DOCUMENTS = TABLES["documents"].rows(
    [
        {"document_id": name, "path": f"{name}.md", "format": "markdown", "status": "ok"}
        for name in ("alarms", "torque", "cabling")
    ]
)


def files(*rows: tuple[str, str | None] | tuple[str, str | None, str]) -> pl.DataFrame:
    """Rows of (path, image_id[, status])."""
    return TABLES["image_files"].rows(
        [{"path": row[0], "image_id": row[1], "status": row[2] if len(row) > 2 else "ok"} for row in rows]
    )


def images(*ids: str, decorative: tuple[str, ...] = ()) -> pl.DataFrame:
    return TABLES["images"].rows(
        [{"image_id": name, "role": "content"} for name in ids]
        + [{"image_id": name, "role": "decorative", "decorative_reason": "32 px"} for name in decorative]
    )


def reference(path: str | None, image_id: str | None, status: str = "ok", document: str = "alarms", line: int = 1):
    return {
        "document_id": document,
        "document_path": f"{document}.md",
        "chunk_id": f"{document}-{line}",
        "line": line,
        "target": path or "gone.png",
        "status": status,
        "image_path": path,
        "image_id": image_id,
    }


def references(*rows: dict[str, object]) -> pl.DataFrame:
    return TABLES["references"].rows(list(rows))


def evidence(*rows: tuple[str, str, int, float, bool], kind: str = "chunk") -> pl.DataFrame:
    """Rows of (image_id, document_id, rank, confidence, kept)."""
    return TABLES["visual_evidence"].rows(
        [
            {
                "type": "HAS_VISUAL_EVIDENCE",
                "image_id": image,
                "text_kind": kind,
                "text_id": f"{document}-9" if kind == "chunk" else document,
                "document_id": document,
                "best_chunk_id": f"{document}-9",
                "log_odds": math.log(confidence / (1 - confidence)),
                "score": 10 * confidence,
                "confidence": confidence,
                "rank": rank,
                "kept": kept,
            }
            for image, document, rank, confidence, kept in rows
        ]
    )


def reasons(orphans: pl.DataFrame) -> dict[str, str]:
    return dict(orphans.select("path", "reason").iter_rows())


def test_every_orphan_has_one_reason_and_used_files_have_none():
    orphans = find_orphans(
        files(
            ("used.png", "u"),
            ("copy.png", "u"),
            ("broken.png", None, "unreadable"),
            ("huge.png", None, "skipped"),
            ("icon.png", "i"),
            ("wanted.png", "w"),
            ("picnic.jpg", "p"),
            ("alone.png", "a"),
        ),
        images("u", "w", "p", "a", decorative=("i",)),
        references(reference("used.png", "u")),
        evidence(("w", "torque", 1, 0.9, True), ("p", "torque", 1, 0.1, False), ("i", "torque", 1, 0.9, False)),
        DOCUMENTS,
    )
    assert reasons(orphans) == {
        "copy.png": "duplicate",
        "broken.png": "unreadable",
        "huge.png": "unreadable",
        "icon.png": "decorative",
        "wanted.png": "unreferenced_matched",
        "picnic.jpg": "unmatched",
        "alone.png": "unmatched",
    }


def test_a_duplicate_names_the_first_used_path_and_carries_no_suggestion():
    orphans = find_orphans(
        files(("b.png", "x"), ("a.png", "x"), ("z.png", "x"), ("copy.png", "x")),
        images("x"),
        references(reference("b.png", "x"), reference("z.png", "x", line=2)),
        evidence(("x", "torque", 1, 0.9, True)),
        DOCUMENTS,
    )
    assert orphans["path"].to_list() == ["a.png", "copy.png"]
    assert orphans["duplicate_of"].to_list() == ["b.png", "b.png"]
    assert orphans["best_chunk_id"].to_list() == orphans["suggestion_rank"].to_list() == [None, None]


def test_a_hidden_reference_is_no_use():
    orphans = find_orphans(
        files(("a.png", "x"), ("b.png", "x")), images("x"), references(reference("a.png", "x", "hidden")),
        evidence(), DOCUMENTS,
    )  # fmt: skip
    assert reasons(orphans) == {"a.png": "unmatched", "b.png": "unmatched"}


@pytest.mark.parametrize("status", ["missing", "remote", "outside_root", "unsupported", "not_embedded"])
def test_only_an_ok_reference_is_a_use(status):
    orphans = find_orphans(
        files(("a.png", "x")), images("x"), references(reference("a.png", "x", status)), evidence(), DOCUMENTS
    )
    assert reasons(orphans) == {"a.png": "unmatched"}


def test_an_unreadable_file_that_a_document_embeds_is_no_orphan():
    orphans = find_orphans(
        files(("a.png", None, "unreadable")), images(), references(reference("a.png", None)), evidence(), DOCUMENTS
    )
    assert orphans.is_empty()


def test_what_could_not_be_listed_is_no_orphan():
    unlisted = files(("photos", None, "unlistable"), ("old.zip", None, "unlistable"))
    assert find_orphans(unlisted, images(), references(), evidence(), DOCUMENTS).is_empty()


def test_two_unreadable_files_are_no_duplicates_of_each_other():
    both = files(("used.png", None, "unreadable"), ("other.png", None, "unreadable"))
    orphans = find_orphans(both, images(), references(reference("used.png", None)), evidence(), DOCUMENTS)
    assert reasons(orphans) == {"other.png": "unreadable"}


def test_suggestions_are_ranked_by_confidence_and_then_by_path():
    orphans = find_orphans(
        files(("c.png", "c"), ("b.png", "b"), ("a.png", "a"), ("none.png", "n")),
        images("a", "b", "c", "n"),
        references(),
        evidence(
            ("a", "alarms", 1, 0.7, True),
            ("b", "torque", 1, 0.7, True),
            ("c", "torque", 1, 0.9, True),
            ("n", "torque", 1, 0.99, False),
        ),
        DOCUMENTS,
    )
    ranks = dict(orphans.select("path", "suggestion_rank").iter_rows())
    assert ranks == {"c.png": 1, "a.png": 2, "b.png": 3, "none.png": None}


def test_the_suggestion_is_the_best_kept_passage_with_its_document():
    orphans = find_orphans(
        files(("a.png", "a")),
        images("a"),
        references(),
        # Rank 1 was rejected by a person, rank 2 stands.
        evidence(("a", "alarms", 1, 0.9, False), ("a", "torque", 2, 0.8, True), ("a", "cabling", 3, 0.7, True)),
        DOCUMENTS,
    )
    row = orphans.row(0, named=True)
    assert (row["reason"], row["best_document_path"], row["best_chunk_id"]) == (
        "unreferenced_matched",
        "torque.md",
        "torque-9",
    )
    assert (row["score"], row["confidence"]) == (pytest.approx(8.0), 0.8)


def test_an_unmatched_orphan_still_shows_its_nearest_passage_but_no_rank():
    orphans = find_orphans(
        files(("a.png", "a")), images("a"), references(), evidence(("a", "alarms", 1, 0.2, False)), DOCUMENTS
    )
    row = orphans.row(0, named=True)
    assert (row["reason"], row["best_document_path"], row["suggestion_rank"]) == ("unmatched", "alarms.md", None)


def test_evidence_for_documents_and_concepts_is_no_passage():
    orphans = find_orphans(
        files(("a.png", "a")), images("a"), references(),
        evidence(("a", "alarms", 1, 0.9, True), kind="document"), DOCUMENTS,
    )  # fmt: skip
    assert reasons(orphans) == {"a.png": "unmatched"}


def test_empty_tables_give_an_empty_table():
    orphans = find_orphans(files(), images(), references(), evidence(), TABLES["documents"].empty())
    assert orphans.schema == TABLES["orphan_images"].schema
    assert orphans.is_empty()
    assert questionable_references(references(), evidence()).is_empty()
    assert missing_references(references()).is_empty()
    assert incomplete_sources(TABLES["documents"].empty(), files()) == []


PATHS = [f"{name}.png" for name in "abcdefgh"]


@given(
    contents=st.lists(st.sampled_from(["x", "y", "z", None]), min_size=8, max_size=8),
    used=st.sets(st.sampled_from(PATHS)),
    kept=st.sets(st.sampled_from(["x", "y", "z"])),
)
def test_every_file_is_either_used_or_an_orphan_and_ranks_have_no_gaps(contents, used, kept):
    table = files(*[(p, c, "ok" if c else "unreadable") for p, c in zip(PATHS, contents, strict=True)])
    content = dict(zip(PATHS, contents, strict=True))
    orphans = find_orphans(
        table,
        images("x", "y", "z"),
        references(*[reference(path, content[path], line=n) for n, path in enumerate(sorted(used))]),
        evidence(*[(name, "alarms", 1, 0.6, name in kept) for name in "xyz"]),
        DOCUMENTS,
    )
    assert set(orphans["path"]) == set(PATHS) - used
    ranks = orphans["suggestion_rank"].drop_nulls().sort().to_list()
    assert ranks == list(range(1, len(ranks) + 1))
    assert orphans.filter(pl.col("reason") == "unreferenced_matched").height == len(ranks)


def test_missing_references_leave_out_links_and_hidden_and_found_pictures():
    rows = [
        reference("a.png", "a", status, line=line)
        for line, status in enumerate(
            ["ok", "missing", "remote", "outside_root", "unsupported", "not_embedded", "hidden"], start=1
        )
    ]
    assert missing_references(references(*rows))["status"].to_list() == [
        "missing", "remote", "outside_root", "unsupported",
    ]  # fmt: skip


def test_a_reference_is_questionable_when_another_document_is_clearly_preferred():
    found = questionable_references(
        references(reference("a.png", "a", document="alarms", line=4)),
        evidence(("a", "torque", 1, 0.95, True), ("a", "alarms", 2, 0.1, False), kind="document"),
    )
    row = found.row(0, named=True)
    assert (row["document_path"], row["line"], row["chunk_id"]) == ("alarms.md", 4, "alarms-4")
    assert (row["preferred_document_id"], row["preferred_chunk_id"]) == ("torque", "torque-9")
    assert row["log_odds_behind"] == pytest.approx(math.log(19) + math.log(9))


@pytest.mark.parametrize(
    ("rows", "uses"),
    [
        ([("a", "alarms", 1, 0.9, True), ("a", "torque", 2, 0.1, False)], ["alarms"]),  # the document it stands in
        ([("a", "torque", 1, 0.9, True), ("a", "alarms", 2, 0.6, True)], ["alarms"]),  # not weak
        ([("a", "torque", 1, 0.6, True), ("a", "alarms", 2, 0.4, False)], ["alarms"]),  # not clearly preferred
        ([("a", "torque", 1, 0.3, False), ("a", "alarms", 2, 0.01, False)], ["alarms"]),  # nothing wants it
        ([("a", "torque", 1, 0.9, True), ("a", "alarms", 2, 0.1, False)], ["alarms", "torque"]),  # both use it
        ([], ["alarms"]),
    ],
)
def test_a_reference_is_not_questionable_without_a_clear_case(rows, uses):
    table = references(*[reference("a.png", "a", document=document) for document in uses])
    assert questionable_references(table, evidence(*rows, kind="document")).is_empty()


def test_hidden_references_are_not_questioned():
    table = references(reference("a.png", "a", "hidden"))
    rows = evidence(("a", "torque", 1, 0.95, True), ("a", "alarms", 2, 0.1, False), kind="document")
    assert questionable_references(table, rows).is_empty()


def test_every_source_that_could_not_be_read_is_named_with_its_reason():
    documents = TABLES["documents"].rows(
        [
            {"document_id": "1", "path": "ok.md", "format": "markdown", "status": "ok"},
            {"document_id": "2", "path": "b.md", "format": "markdown", "status": "unreadable", "error": "not UTF-8"},
            {"document_id": "3", "path": "secret", "format": "folder", "status": "unreadable", "error": "denied"},
            {"document_id": "4", "path": "big.md", "format": "markdown", "status": "skipped", "error": "60 MB"},
            {"document_id": "5", "path": "old.md", "format": "markdown", "status": "stale", "error": "denied"},
        ]
    )
    sentences = incomplete_sources(documents, files(("photos", None, "unlistable"), ("a.png", None, "unreadable")))
    assert sentences == [
        "Document b.md could not be read (not UTF-8): it may use pictures called unused here.",
        "Document big.md was skipped (60 MB): it may use pictures called unused here.",
        "Document old.md could not be read (denied): what it said last time is used.",
        "Folder secret could not be listed (denied): its documents may use pictures called unused here.",
        "Pictures in photos are not listed: the folder, archive or manifest could not be read.",
    ]
