"""The lists of the page, on a small collection that a run has left in a HOME."""

import random
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import chunk_of, image_id, small_corpus

from kg_pipeline.evidence.reasons import FINDINGS
from kg_pipeline.orphans import find_orphans
from kg_pipeline.serving.browsing import (
    FINDING_NAMES,
    Filters,
    orphans_page,
    passages_page,
    pictures_page,
    search_passages,
)
from kg_pipeline.serving.catalogue import Catalogue
from kg_pipeline.serving.details import orphan_rows, passage_details, picture_details, picture_rows
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import ACCEPTED, REJECTED, clear_verdict, give_verdict

DOCUMENTS = {
    "alarm.md": ["# Alarms\nThe red lamp is lit.", "Call the operator."],
    "torque.md": ["# Torque\nTighten the M6 bolt.", "# 报警\n服务器机柜内红色报警灯亮起"],
}
IMAGES = {"img/lamp.png": ["ALARM"], "img/lamp_2.png": ["ALARM 2"], "img/bolt.png": ["M6"], "img/line.png": []}
EVERYTHING = Filters()
NAMED, _, _, READ = list(FINDINGS)[:4]


def pair(
    image: str, path: str, index: int, confidence: float, rank: int, image_rank: int, finding: str = NAMED
) -> dict:
    chunk = chunk_of(path, index, DOCUMENTS)
    return {
        "type": "HAS_VISUAL_EVIDENCE", "image_id": image_id(image), "text_kind": "chunk", "text_id": chunk,
        "best_chunk_id": chunk, "score": 10 * confidence, "confidence": confidence, "rank": rank, "margin_points": 1.5,
        "image_rank": image_rank, "kept": confidence >= 0.5, "scorer": "evidence-model/1",
        "contributions": [{"name": "intercept", "value": -2.0}, {"name": "name_body", "value": 4.0}],
        "reason": f"Score: {10 * confidence:.1f} — {finding}, {READ} (judged by words and paths); kept: so",
    }  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    """lamp.png is used and fits; lamp_2.png is an orphan with a suggestion; bolt.png has a weak pair only."""
    corpus = small_corpus(DOCUMENTS, IMAGES, references=[("alarm.md", 0, "img/lamp.png")], decorative=["img/line.png"])
    evidence = (
        TABLES["visual_evidence"]
        .rows(
            [
                pair("img/lamp.png", "alarm.md", 0, 0.9, 1, 1),
                pair("img/lamp.png", "torque.md", 1, 0.6, 2, 2),
                pair("img/lamp_2.png", "torque.md", 1, 0.8, 1, 1, READ),
                pair("img/lamp_2.png", "alarm.md", 0, 0.4, 2, 2),
                pair("img/bolt.png", "torque.md", 0, 0.3, 1, 1),
            ]
        )
        .join(corpus.chunks.select("document_id", text_id="chunk_id"), on="text_id", how="left")
    )
    evidence = evidence.with_columns(document_id="document_id_right").drop("document_id_right")
    tables = {name: getattr(corpus, name) for name in ("documents", "chunks", "references", "image_files", "images",
              "image_texts", "concepts", "concept_mentions")}  # fmt: skip
    broken = TABLES["image_files"].rows([{"path": "img/broken.png", "status": "unreadable", "error": "cut off"}])
    tables["image_files"] = pl.concat([tables["image_files"], broken])
    tables["visual_evidence"] = evidence
    tables["orphan_images"] = find_orphans(*(tables[name] for name in (
        "image_files", "images", "references", "visual_evidence", "documents")))  # fmt: skip
    store = TableStore(tmp_path)
    for name, table in tables.items():
        store.write(name, "test", table)
    return store


@pytest.fixture
def catalogue(store: TableStore) -> Catalogue:
    return Catalogue(store)


def shown(catalogue: Catalogue, filters: Filters = EVERYTHING) -> list[str]:
    return pictures_page(catalogue.pictures("test"), filters, 0, 50).rows["path"].to_list()


def test_pictures_come_with_their_best_passage_the_most_confident_first(catalogue):
    assert shown(catalogue) == ["img/lamp.png", "img/lamp_2.png", "img/bolt.png", "img/line.png"]
    first = picture_rows(catalogue, "test", catalogue.pictures("test").filter(path="img/lamp.png"))[0]
    assert (first["used"], first["kept"], first["finding"]) == (True, 2, NAMED)
    assert first["passage"]["text"] == "# Alarms The red lamp is lit."


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        (Filters(status="unused"), ["img/lamp_2.png", "img/bolt.png", "img/line.png"]),
        (Filters(status="not_kept"), ["img/bolt.png", "img/line.png"]),
        (Filters(status="decorative"), ["img/line.png"]),
        (Filters(reason=READ), ["img/lamp_2.png"]),
        (Filters(min_confidence=0.3, max_confidence=0.8), ["img/lamp_2.png", "img/bolt.png"]),
        (Filters(search="LAMP alarm"), ["img/lamp.png", "img/lamp_2.png"]),
        (Filters(search="lamp ("), []),
        (Filters(order="weakest"), ["img/bolt.png", "img/lamp_2.png", "img/lamp.png", "img/line.png"]),
        (Filters(order="path"), ["img/bolt.png", "img/lamp.png", "img/lamp_2.png", "img/line.png"]),
    ],
)
def test_pictures_are_filtered_and_ordered(catalogue, filters, paths):
    assert shown(catalogue, filters) == paths


@given(limit=st.integers(1, 7), order=st.sampled_from(["strongest", "weakest", "path"]))
def test_the_pages_of_a_list_hold_every_row_once(limit, order):
    values = random.Random(1).choices([None, 0.1, 0.5, 0.5, 0.9], k=23)
    index = pl.DataFrame({"path": [f"{at:02}.png" for at in range(23)], "confidence": values}).with_columns(
        search=pl.col("path")
    )
    found = []
    for offset in range(0, 23, limit):
        page = pictures_page(index, Filters(order=order), offset, limit)
        assert page.total == 23
        found += page.rows["path"].to_list()
    assert sorted(found) == index["path"].to_list()


def test_passages_are_found_by_text_heading_and_path_in_any_language(catalogue):
    def found(search: str) -> list[tuple[str, int]]:
        documents = catalogue.table("test", "documents")
        ids = search_passages(catalogue.rows("test", "chunks"), documents, Filters(search).words)
        return (
            passages_page(catalogue.passages("test"), ids, Filters(order="path"), 0, 9)
            .rows.select("path", "index")
            .rows()
        )

    assert found("红色报警灯") == [("torque.md", 1)]
    assert found("torque bolt") == [("torque.md", 0)]
    assert found("ALARM") == [("alarm.md", 0), ("alarm.md", 1)]
    assert found("[") == []


def test_a_passage_without_a_picture_that_one_fits_is_a_gap(catalogue):
    rows = passages_page(catalogue.passages("test"), None, Filters(status="gap"), 0, 9).rows
    assert rows.select("path", "index", "kept", "image_id").rows() == [("torque.md", 1, 2, image_id("img/lamp_2.png"))]


def test_details_show_both_sides_of_a_pair(catalogue):
    picture = picture_details(catalogue, "test", image_id("img/lamp.png"))
    assert picture["uses"][0]["document_path"] is None or picture["uses"][0]["line"] == 1
    assert [each["confidence"] for each in picture["pairs"]] == [0.9, 0.6]
    assert picture["pairs"][0]["findings"] == [NAMED, READ]
    assert [bar["name"] for bar in picture["pairs"][0]["bars"]] == ["intercept", "name_body", "sum"]
    passage = passage_details(catalogue, "test", chunk_of("torque.md", 1, DOCUMENTS))
    assert [each["picture"]["path"] for each in passage["pairs"]] == ["img/lamp_2.png", "img/lamp.png"]
    assert picture_details(catalogue, "test", "0" * 64) is None
    assert passage_details(catalogue, "test", "nothing") is None


def test_the_queue_begins_with_what_can_be_decided_and_counts_what_was(catalogue, store):
    queue = catalogue.orphans("test")
    assert queue.select("path", "reason", "decidable").rows() == [
        ("img/lamp_2.png", "unreferenced_matched", True),
        ("img/bolt.png", "unmatched", True),
        ("img/line.png", "decorative", False),
        ("img/broken.png", "unreadable", False),
    ]
    row = orphan_rows(catalogue, "test", queue.head(1))[0]
    assert row["passage"]["text"].endswith("服务器机柜内红色报警灯亮起")
    assert row["pair"]["margin_points"] == 1.5
    assert queue["error"].to_list()[3] == "cut off"

    chunk = chunk_of("torque.md", 1, DOCUMENTS)
    give_verdict(store, "test", "img/lamp_2.png", chunk, REJECTED, "Li", datetime(2026, 2, 1, tzinfo=UTC))
    judged = orphans_page(catalogue.orphans("test"), Filters(status="judged"), 0, 9).rows
    assert judged.select("path", "verdict", "by").rows() == [("img/lamp_2.png", REJECTED, "Li")]
    assert orphans_page(catalogue.orphans("test"), Filters(status="open"), 0, 9).rows["path"].to_list() == [
        "img/bolt.png"
    ]
    assert shown(catalogue, Filters(status=REJECTED)) == ["img/lamp_2.png"]
    assert shown(catalogue, Filters(status=ACCEPTED)) == []

    clear_verdict(store, "test", "img/lamp_2.png", chunk)
    assert orphans_page(catalogue.orphans("test"), Filters(status="judged"), 0, 9).total == 0


def test_what_a_run_replaces_is_read_anew(catalogue, store):
    assert len(catalogue.pictures("test")) == 4
    store.write("images", "test", store.read("images", "test").head(2))
    assert len(catalogue.pictures("test")) == 2


def test_tables_that_were_never_written_are_empty_lists(tmp_path):
    store = TableStore(tmp_path)
    store.write("image_files", "new", TABLES["image_files"].empty())
    catalogue = Catalogue(store)
    assert catalogue.collections() == ["new"]
    assert pictures_page(catalogue.pictures("new"), Filters(search="a"), 0, 9).total == 0
    assert passages_page(catalogue.passages("new"), None, Filters(), 0, 9).total == 0
    assert orphans_page(catalogue.orphans("new"), Filters(), 0, 9).total == 0


def test_every_finding_can_be_filtered_by():
    assert set(FINDINGS) < set(FINDING_NAMES)
