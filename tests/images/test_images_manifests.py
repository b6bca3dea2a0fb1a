import polars as pl
import pytest
from pictures import file_row, paths, save


def test_manifest_paths_are_absolute_or_relative_to_the_manifest(tmp_path, docs, inventory):
    save(tmp_path / "lists" / "near" / "a.png", 1)
    far = save(tmp_path / "far" / "b.png", 2)
    (tmp_path / "lists" / "images.csv").write_text(f"title,path\nA,near/a.png\nB,{far}\nB,../far/b.png\n")
    found = inventory(images=[{"manifest": "lists/images.csv"}])
    assert paths(found) == sorted(["images.csv/near/a.png", f"images.csv{far}"])
    assert set(found.image_files["status"]) == {"ok"}


def test_a_parquet_manifest_reads_like_a_csv_one(tmp_path, docs, inventory):
    save(tmp_path / "a.png", 1)
    pl.DataFrame({"path": ["a.png", None]}).write_parquet(tmp_path / "list.parquet")
    assert paths(inventory(images=[{"manifest": "list.parquet"}])) == ["list.parquet/a.png"]


def test_files_inside_a_root_keep_the_path_of_the_root(tmp_path, docs, inventory):
    save(docs / "a.png", 1)
    save(docs / "scan.data", 2, format="PNG")
    (tmp_path / "list.csv").write_text("path\ndocs/a.png\ndocs/scan.data\n")
    found = inventory(images=[{"manifest": "list.csv"}])
    assert paths(found) == ["a.png", "scan.data"]


def test_rows_that_name_nothing_readable_are_counted(tmp_path, docs, inventory):
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "list.csv").write_text("path\ngone.png\ntext.txt\nhttps://example.org/a.png\n\n.\n")
    found = inventory(images=[{"manifest": "list.csv", "name": "m"}])
    assert file_row(found, "m/gone.png")["status"] == "unreadable"
    assert file_row(found, "m/text.txt")["error"] == "not an image: text"
    assert file_row(found, "m/https://example.org/a.png")["status"] == "skipped"
    assert len(found.image_files) == 4


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list.csv", b"file,title\na.png,A\n", "no column `path`; columns are file, title"),
        ("list.csv", b"", "no column `path`"),
        ("list.csv", b"path\n\xff\xfe.png\n", "utf-8"),
        ("list.parquet", b"no parquet", "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_unlistable(tmp_path, docs, inventory, name, content, words):
    (tmp_path / name).write_bytes(content)
    row = file_row(inventory(images=[{"manifest": name}]), name)
    assert row["status"] == "unlistable" and words in row["error"]


def test_a_parquet_manifest_without_path_says_what_it_has(tmp_path, docs, inventory):
    pl.DataFrame({"file": ["a.png"]}).write_parquet(tmp_path / "list.parquet")
    assert "columns are file" in file_row(inventory(images=[{"manifest": "list.parquet"}]), "list.parquet")["error"]
