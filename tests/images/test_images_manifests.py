import polars as pl
import pytest
from pictures import file_row, paths, save

from kg_pipeline.candidates.image_words import read_image_words
from kg_pipeline.images import read_image_texts


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
        ("list.csv", b"path\na\0.png\n", "zero byte"),
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


def texts(collection, found, cache) -> list[tuple[str, str]]:
    table = read_image_texts(collection, found, cache, workers=1).filter(source="manifest")
    return list(table.join(found.images.select("image_id", "path"), on="image_id").select("path", "text").iter_rows())


def test_title_description_and_tags_of_an_export_are_texts_of_the_image(tmp_path, docs, inventory, make_collection):
    save(docs / "a.png", 1)
    (tmp_path / "lists").mkdir()
    (tmp_path / "linked").symlink_to(docs)
    save(tmp_path / "lists" / "b.png", 2)
    (tmp_path / "lists" / "copy.png").write_bytes((docs / "a.png").read_bytes())
    (tmp_path / "lists" / "dam.csv").write_text(
        "id,path,tags,title,description\n"
        '1,../linked/a.png,"pump, intake",Intake pump,"Two lines\n of words"\n'
        "2,b.png,,Valve,\n"
        "3,copy.png,,Intake pump,Seen from behind\n"
        "4,gone.png,,Gone,\n"
        "5,,lost,No path,\n"
    )
    sections = {"images": [{"manifest": "lists/dam.csv"}], "scoring": {"ocr": False}}
    found = inventory(**sections)
    assert sorted(texts(make_collection(**sections), found, tmp_path / "cache")) == [
        ("a.png", "Intake pump"),
        ("a.png", "Seen from behind"),
        ("a.png", "Two lines of words"),
        ("a.png", "pump, intake"),
        ("dam.csv/b.png", "Valve"),
    ]


def test_tags_may_be_a_list_in_parquet(tmp_path, docs, inventory, make_collection):
    save(tmp_path / "a.png", 1)
    rows = {"path": ["a.png"], "tags": [["pump", None, "intake"]], "title": [7]}
    pl.DataFrame(rows).write_parquet(tmp_path / "list.parquet")
    sections = {"images": [{"manifest": "list.parquet"}], "scoring": {"ocr": False}}
    found = inventory(**sections)
    assert sorted(texts(make_collection(**sections), found, tmp_path / "cache")) == [
        ("list.parquet/a.png", "7"),
        ("list.parquet/a.png", "pump, intake"),
    ]


def test_what_a_manifest_says_leads_to_the_passage(tmp_path, docs, inventory, make_collection):
    save(tmp_path / "IMG_1.png", 1)
    (tmp_path / "list.csv").write_text("path,title\nIMG_1.png,Intake pump\n")
    sections = {"images": [{"manifest": "list.csv"}], "scoring": {"ocr": False}}
    found = inventory(**sections)
    table = read_image_texts(make_collection(**sections), found, tmp_path / "cache", workers=1)
    (words,) = read_image_words(found.image_files, found.images, table)
    assert words.lines == ("Intake pump",)
