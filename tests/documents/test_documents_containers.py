"""Documents with pictures inside, from the file to the tables: whatever the format, so here with PDF."""

import hashlib
import os
import sys

import polars as pl
import pytest
from small_office import FILES
from small_pdfs import Page, jpeg, manual, pdf

from kg_pipeline.documents import list_embedded, read_documents
from kg_pipeline.documents.killable import Killed, run_killable
from kg_pipeline.images import read_inventory
from kg_pipeline.images.ocr_cache import Entry, Line, store_entry


@pytest.fixture
def run(tmp_path, write, make_collection):
    """Write files and read them as a run does, onto one shelf: (documents tables, inventory)."""

    def read(files, before=(None, None), **sections):
        write(files)
        collection = make_collection(**sections)
        shelf, ocr = tmp_path / "home" / "shelf", tmp_path / "home" / "ocr"
        inventory = read_inventory(collection, before[1], 1, list_embedded(collection, shelf, workers=1))
        documents = read_documents(collection, inventory.image_files, before[0], shelf=shelf, ocr_cache=ocr)
        return documents, inventory

    return read


def test_a_picture_of_a_document_is_in_the_inventory_and_referenced_from_its_page(run):
    documents, inventory = run({"docs/pump.pdf": manual(), "docs/copy.jpg": jpeg(1)})
    files = dict(inventory.image_files.select("path", "image_id").rows())
    assert set(files) == {"copy.jpg", "pump.pdf/p1-1.jpg", "pump.pdf/p2-1.jpg", "pump.pdf/p3-2.png"}
    assert files["pump.pdf/p2-1.jpg"] == files["copy.jpg"] == hashlib.sha256(jpeg(1)).hexdigest()
    references = documents.references.join(documents.chunks, on="chunk_id")
    valve = references.filter(image_path="pump.pdf/p2-1.jpg").row(0, named=True)
    assert (valve["status"], valve["kind"], valve["target"], valve["page"]) == ("ok", "embedded", "p2-1.jpg", 2)
    assert valve["caption"] == "Figure 1: The valve from above."
    assert "Figure 1" not in valve["text"]
    assert references.filter(image_path="pump.pdf/p3-2.png")["page"].to_list() == [3]


def test_a_collection_of_all_formats_has_every_picture_once_and_every_reference_resolved(run):
    documents, inventory = run({f"docs/pump{suffix}": make() for suffix, make in FILES.items()})
    assert set(documents.documents["status"]) == {"ok"}
    assert set(inventory.image_files["status"]) == {"ok"}
    assert documents.references.filter(kind="embedded")["status"].unique().to_list() == ["ok"]
    lost = documents.references.filter(pl.col("status") != "ok")
    assert lost.select("document_path", "target", "status").sort("document_path").rows() == [
        ("pump.epub", "img/lost.png", "missing"),
        ("pump.mediawiki.xml", "Lost.png", "missing"),
    ]
    shown = inventory.image_files.filter(image_id=hashlib.sha256(jpeg(1)).hexdigest())["path"].to_list()
    assert [path.partition("/")[0].removeprefix("pump") for path in shown] == sorted(FILES)
    unused = set(inventory.image_files["path"]) - set(documents.references["image_path"])
    assert unused == {"pump.confluence.zip/spare.jpg", "pump.entities.confluence.zip/spare.jpg"}


def test_a_picture_on_most_pages_is_decorative_and_one_that_also_lies_elsewhere_is_not(run):
    _, inventory = run({"docs/pump.pdf": manual()})
    reasons = dict(inventory.images.select("path", "decorative_reason").rows())
    assert reasons["pump.pdf/p1-1.jpg"] == "on most pages of its document"
    assert reasons["pump.pdf/p2-1.jpg"] is None
    _, inventory = run({"docs/logo.jpg": jpeg(9, (180, 90), "logo")})
    assert inventory.images.filter(path="logo.jpg")["role"].to_list() == ["content"]


def test_the_second_run_takes_nothing_apart_and_makes_the_same_tables(run, monkeypatch):
    files = {"docs/pump.pdf": manual(), "docs/bad.pdf": b"%PDF-1.4 nothing"}
    first = run(files)
    monkeypatch.setattr("kg_pipeline.documents.opening.run_killable", None)
    second = run({}, first)
    for before, now in zip((*first[0], *first[1]), (*second[0], *second[1]), strict=True):
        assert before.equals(now)


def test_a_document_that_breaks_keeps_its_rows_and_its_pictures_as_stale(run):
    first = run({"docs/pump.pdf": manual()})
    documents, inventory = run({"docs/pump.pdf": manual()[:300]}, first)
    assert documents.documents["status"].to_list() == ["stale"]
    assert set(inventory.image_files["status"]) == {"stale"}
    assert documents.references["status"].unique().to_list() == ["ok"]
    assert inventory.images.equals(first[1].images)


def test_a_root_that_cannot_be_listed_keeps_the_pictures_of_its_documents(run, tmp_path):
    first = run({"docs/pump.pdf": manual()})
    (tmp_path / "docs").rename(tmp_path / "away")
    documents, inventory = run({}, first)
    assert set(documents.documents.filter(format="pdf")["status"]) == {"stale"}
    assert set(documents.references["status"]) == {"ok"}
    assert set(inventory.image_files.filter(pl.col("path").str.starts_with("pump"))["status"]) == {"stale"}


def test_unreadable_documents_are_rows_with_a_reason_and_no_pictures(run):
    files = {
        "docs/empty.pdf": b"",
        "docs/text.pdf": b"hello",
        "docs/cut.pdf": manual()[:200],
        "docs/good.pdf": manual(),
    }
    documents, inventory = run(files)
    rows = {row["path"]: row for row in documents.documents.iter_rows(named=True)}
    assert {path: row["status"] for path, row in rows.items()} == {
        "empty.pdf": "unreadable",
        "text.pdf": "unreadable",
        "cut.pdf": "unreadable",
        "good.pdf": "ok",
    }
    assert "text.pdf" in rows["text.pdf"]["error"]
    assert inventory.image_files["path"].str.starts_with("good.pdf/").all()


def test_more_pages_than_allowed_are_skipped_not_read(run):
    documents, _ = run({"docs/pump.pdf": manual()}, limits={"document_pages": 2})
    row = documents.documents.row(0, named=True)
    assert row["status"] == "skipped"
    assert "limits.document_pages" in row["error"]


def test_a_scanned_page_has_the_text_that_ocr_read_in_it(run, tmp_path):
    scan = jpeg(5, (600, 800))
    file = pdf(
        Page().text("Typed page, with enough words on it."),
        Page().image(scan, 0, 0, 612, 792),
        Page().text("The end of it all."),
    )
    lines = tuple(Line(text, 0.9, (0, 0, 1, 1)) for text in ("Order number 4711", "Valve, brass"))
    store_entry(tmp_path / "home" / "ocr", hashlib.sha256(scan).hexdigest(), Entry("test", lines))
    documents, _ = run({"docs/scan.pdf": file})
    assert documents.chunks.select("page", "text").rows() == [
        (1, "Typed page, with enough words on it."),
        (2, "Order number 4711\nValve, brass"),
        (3, "The end of it all."),
    ]
    assert documents.references.select("line", "target").rows() == [(2, "p2-1.jpg")]


def test_without_ocr_a_scanned_page_has_no_text(run):
    file = pdf(Page().text("Typed page, with enough words on it."), Page().image(jpeg(5), 0, 0, 612, 792))
    documents, _ = run({"docs/scan.pdf": file}, scoring={"ocr": False})
    assert documents.chunks["text"].to_list() == ["Typed page, with enough words on it."]
    assert documents.references.select("line", "status").rows() == [(2, "ok")]


def test_include_and_exclude_hold_for_pictures_in_documents(run):
    files = {"docs/a.pdf": manual(), "docs/old/b.pdf": manual()}
    _, inventory = run(files, documents=[{"root": "docs", "exclude": ["old/"]}])
    assert inventory.image_files["path"].str.starts_with("a.pdf/").all()


def act(what: str) -> str:
    if what == "hang":
        while True:
            pass
    if what == "die":
        os._exit(3)
    if what == "eat":
        try:
            return str(len(bytearray(400_000_000)))
        except MemoryError:
            return "no memory"
    return what


def test_hanging_dying_and_greedy_work_is_ended_and_the_rest_is_done():
    items = ["a", "hang", "b", "die", "eat", "c"]
    results = run_killable(act, items, "testing", 2, seconds=1, memory=200_000_000)
    assert results[0::2][:2] == ["a", "b"]
    assert results[5] == "c"
    assert isinstance(results[1], Killed)
    assert "limits.document_seconds" in results[1].why
    assert isinstance(results[3], Killed)
    assert "exit code 3" in results[3].why
    if sys.platform == "linux":
        assert results[4] == "no memory"
