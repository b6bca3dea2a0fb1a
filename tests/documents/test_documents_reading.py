import hashlib
import logging
import os

import polars as pl
import pytest

from kg_pipeline.config import SKIPPED_FOLDERS
from kg_pipeline.documents import DocumentError, formats
from kg_pipeline.progress import show_progress
from kg_pipeline.tables import TABLES


def statuses(tables):
    return dict(tables.documents.select("path", "status").rows())


def test_one_row_per_document_with_stable_ids(read):
    files = {"docs/a.md": "# Title\n\nText ![x](i.png)\n", "docs/sub/b.HTML": "<p>x", "docs/i.png": None}
    tables = read(files)
    assert tables.documents["path"].sort().to_list() == ["a.md", "sub/b.HTML"]
    row = tables.documents.row(by_predicate=pl.col("path") == "a.md", named=True)
    assert (row["title"], row["format"], row["language"], row["status"]) == ("Title", "markdown", "en", "ok")
    assert row["sha256"] == hashlib.sha256(files["docs/a.md"].encode()).hexdigest()
    again = read(files)
    assert all(first.equals(second) for first, second in zip(tables, again, strict=True))
    for name, frame in zip(("documents", "chunks", "references"), tables, strict=True):
        assert frame.schema == TABLES[name].schema


def test_a_reference_names_the_chunk_that_holds_its_line(read):
    tables = read({"docs/a.md": "# A\n\none\n\n# B\n\ntwo ![x](i.png)\n", "docs/i.png": None})
    chunk = tables.chunks.row(1, named=True)
    assert tables.references.select("chunk_id", "line").rows() == [(chunk["chunk_id"], 7)]


def test_equal_passages_have_different_ids_that_survive_text_above(read):
    body = "# A\n\nsame\n\n# A\n\nsame\n"
    before = read({"docs/a.md": body}).chunks["chunk_id"].to_list()
    after = read({"docs/a.md": f"# New\n\nother\n\n{body}"}).chunks["chunk_id"].to_list()
    assert len(set(before)) == 2
    assert after[1:] == before


def test_include_exclude_hidden_folders_and_names_of_roots(read):
    files = dict.fromkeys(
        [
            "docs/a.md",
            "docs/x/b.md",
            "docs/x/no.md",
            "docs/.git/c.md",
            "docs/node_modules/d.md",
            "docs/e.png",
            "m/f.rst",
        ],
        "text",
    )
    roots = [{"root": "docs", "exclude": ["no.md"]}, {"root": "m", "name": "manual", "include": ["*.rst"]}]
    assert set(statuses(read(files, documents=roots))) == {"a.md", "x/b.md", "manual/f.rst"}


def test_bad_files_become_rows(read, tmp_path, write):
    write({"docs/empty.md": "", "docs/binary.html": b"\0\1\2" * 99, "docs/large.md": "x" * 2000, "away.md": "x"})
    (tmp_path / "docs/dangling.md").symlink_to(tmp_path / "nowhere.md")
    (tmp_path / "docs/away.md").symlink_to(tmp_path / "away.md")
    tables = read({}, limits={"document_bytes": 1000})
    assert statuses(tables) == {
        "empty.md": "ok",
        "binary.html": "unreadable",
        "large.md": "skipped",
        "dangling.md": "unreadable",
        "away.md": "skipped",
    }
    errors = dict(tables.documents.filter(pl.col("status") != "ok").select("path", "error").rows())
    assert "not text" in errors["binary.html"]
    assert "document_bytes" in errors["large.md"]
    assert tables.chunks["text"].to_list() == ["empty"]


def test_a_parser_that_fails_costs_one_document(read, monkeypatch):
    def fail(text):
        raise RecursionError("too deep")

    monkeypatch.setitem(formats.FORMATS, ".rst", formats.DocumentFormat("rst", fail))
    tables = read({"docs/a.md": "x", "docs/b.rst": "x"})
    assert statuses(tables) == {"a.md": "ok", "b.rst": "unreadable"}
    assert "too deep" in tables.documents.filter(path="b.rst")["error"].item()


def test_a_document_that_cannot_be_read_any_more_keeps_its_rows(read, tmp_path):
    before = read({"docs/a.md": "Text ![x](i.png)\n", "docs/b.md": "x", "docs/i.png": None})
    (tmp_path / "docs/a.md").unlink()
    (tmp_path / "docs/a.md").symlink_to(tmp_path / "nowhere")
    after = read({}, previous=before)
    assert statuses(after) == {"a.md": "stale", "b.md": "ok"}
    assert after.chunks.equals(before.chunks)
    assert after.references.equals(before.references)
    third = read({}, previous=after)
    assert statuses(third) == {"a.md": "stale", "b.md": "ok"}


def test_a_kept_reference_says_where_its_image_is_now(read, tmp_path):
    before = read({"docs/a.md": "![x](i.png)\n", "docs/i.png": None})
    (tmp_path / "docs/a.md").write_bytes(b"\0binary")
    (tmp_path / "docs/i.png").unlink()
    after = read({}, previous=before)
    assert statuses(after) == {"a.md": "stale"}
    assert after.references.select("status", "image_id").rows() == [("missing", None)]


def test_a_deleted_document_is_gone(read, tmp_path):
    before = read({"docs/a.md": "x", "docs/b.md": "x"})
    (tmp_path / "docs/a.md").unlink()
    assert statuses(read({}, previous=before)) == {"b.md": "ok"}


def test_documents_of_a_folder_that_cannot_be_listed_are_kept(read, monkeypatch):
    before = read({"docs/a.md": "x", "docs/sub/b.md": "y ![x](../i.png)", "docs/sub/c/d.md": "z", "docs/i.png": None})
    scandir = os.scandir

    def deny(folder):
        if str(folder).endswith("/sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", deny)
    after = read({}, previous=before)
    assert statuses(after) == {"a.md": "ok", "sub": "unreadable", "sub/b.md": "stale", "sub/c/d.md": "stale"}
    folder = after.documents.filter(path="sub").row(0, named=True)
    assert folder["format"] == "folder"
    assert "Permission denied" in folder["error"]
    assert after.chunks.equals(before.chunks)
    assert after.references.equals(before.references)
    assert statuses(read({})) == {"a.md": "ok", "sub": "unreadable"}


@pytest.mark.parametrize("gone", ["missing", "file"])
def test_a_root_that_is_no_folder_keeps_only_its_own_documents(read, tmp_path, gone):
    roots = [{"root": "docs"}, {"root": "m", "name": "manual"}]
    before = read({"docs/a.md": "x", "m/b.md": "y"}, documents=roots)
    (tmp_path / "docs").rename(tmp_path / "elsewhere")
    if gone == "file":
        (tmp_path / "docs").write_text("no folder")
    after = read({}, previous=before, documents=roots)
    assert statuses(after) == {".": "unreadable", "a.md": "stale", "manual/b.md": "ok"}


def test_progress_is_reported(read):
    calls = []

    class Sink:
        def update(self, description, done, total):
            calls.append((description, done, total))

    with show_progress(Sink()):
        read({"docs/a.md": "x", "docs/b.md": "x"})
    assert calls[-1] == ("reading documents", 2, 2)


def test_hidden_references_lose_alt_and_caption_under_all_paths_of_the_bytes(read, tmp_path, caplog):
    files = {
        "docs/a.md": '![x](1.png "cap")\n![y](copy.png)\n![z](2.png)\n',
        "docs/b.md": "![x](1.png)\n",
        "docs/1.png": b"same",
        "docs/copy.png": b"same",
        "docs/2.png": b"other",
        "hide.csv": "document,image\na.md,copy.png\nnone.md,1.png\n",
    }
    with caplog.at_level(logging.WARNING):
        found = read(files, hide_references="hide.csv").references
    rows = found.sort("document_path", "line").select("status", "alt", "caption").rows()
    assert rows == [("hidden", None, None), ("hidden", None, None), ("ok", "z", None), ("ok", "x", None)]
    assert "1 of 2 rows" in caplog.text


@pytest.mark.parametrize(("content", "words"), [("doc,image\na,b\n", "document"), (None, "cannot read")])
def test_a_list_of_hidden_references_that_is_none_is_an_error(read, content, words):
    files = {"docs/a.md": "x"} | ({"hide.csv": content} if content else {})
    with pytest.raises(DocumentError, match=words):
        read(files, hide_references="hide.csv")


def test_what_is_never_content_is_not_read(read):
    files = {"docs/a.md": "a\n", "docs/work/dagster/dagster.yaml": "", "docs/work/tables/x.md": "x\n"}
    files |= {f"docs/{name}/b.md": "b\n" for name in sorted(SKIPPED_FOLDERS)}
    files |= {"docs/work/reports/gallery.html": "<p>x", "docs/other/tables/c.md": "c\n"}
    assert read(files).documents["path"].to_list() == ["a.md", "other/tables/c.md"]
