"""Descriptions of an inventory: which pictures are asked about, once, and what a bad picture or server costs."""

from pathlib import Path

import pytest
from description_server import COLOURS, description_server, main_colour
from PIL import Image

from kg_pipeline import model_server
from kg_pipeline.descriptions import DescriptionError, describe_collection
from kg_pipeline.evaluation import read_corpus
from kg_pipeline.images import read_image_texts, read_inventory
from kg_pipeline.tables import TABLES


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(model_server, "BACKOFF_SECONDS", 0.001)


@pytest.fixture
def server():
    with description_server() as server:
        yield server


@pytest.fixture
def describe(make_collection, server, tmp_path):
    """Read the pictures of the collection and describe them by the server; keyword arguments are its settings."""

    def run(**settings):
        section = {"url": server.url, "model": "eyes", **settings}
        collection = make_collection(descriptions=section, scoring={"ocr": False})
        inventory = read_inventory(collection, None, 1)
        table, report = describe_collection(collection, inventory, tmp_path / "cache")
        paths = dict(inventory.images.select("image_id", "path").iter_rows())
        texts = read_image_texts(collection, inventory, tmp_path / "ocr", 1, table)
        assert texts.filter(source="description")["text"].to_list() == table["text"].drop_nulls().to_list()
        return {paths[row["image_id"]]: row for row in table.to_dicts()}, report

    return run


def draw(path: Path, colour: str, size=(400, 300)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, "white")
    picture.paste(COLOURS[colour], (20, 20, size[0] - 20, size[1] - 20))
    picture.save(path)


@pytest.fixture
def docs(tmp_path):
    for colour in ("red", "green", "blue"):
        draw(tmp_path / "docs" / f"{colour}.png", colour)
    return tmp_path / "docs"


def test_each_distinct_picture_is_described_once_whatever_it_is_called(describe, docs, server):
    (docs / "copy.png").write_bytes((docs / "red.png").read_bytes())
    first, report = describe()
    assert {path: row["text"] for path, row in first.items()} == {
        "copy.png": "A red thing.", "green.png": "A green thing.", "blue.png": "A blue thing.",
    }  # fmt: skip
    assert (report.new_images, report.cache_hits, report.undescribed) == (3, 0, 0)
    (docs / "green.png").rename(docs / "renamed.png")
    again, report = describe(parallel=1)
    assert again["renamed.png"] == first["green.png"]
    assert (report.new_images, report.cache_hits, len(server.requests)) == (0, 3, 3)
    draw(docs / "new.png", "orange")
    assert describe()[1].new_images == 1


def test_another_model_or_question_describes_anew(describe, docs, server):
    describe()
    assert describe(model="other")[1].new_images == 3
    assert describe(language="zh")[1].new_images == 3
    assert describe()[1].new_images == 0


def test_pictures_are_sent_small_and_upright_without_metadata(describe, tmp_path, server):
    photo = Image.new("RGB", (3000, 2000), COLOURS["green"])
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "somebody's name"  # to be turned by 90 degrees
    (tmp_path / "docs").mkdir()
    photo.paste(COLOURS["red"], (0, 0, 1500, 2000))
    photo.save(tmp_path / "docs" / "photo.jpg", exif=exif)
    describe()
    (sent,) = server.pictures
    assert (sent.size, sent.format) == ((683, 1024), "JPEG")
    assert not sent.getexif()
    assert main_colour(sent.crop((0, 0, 683, 200))) == "red"


def test_drawings_and_decoration_are_not_sent(describe, docs, server):
    (docs / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><text>Pump</text></svg>')
    Image.new("RGB", (8, 8), "red").save(docs / "bullet.png")
    rows, _ = describe()
    assert sorted(rows) == ["blue.png", "green.png", "red.png"]


def test_a_refused_picture_is_a_row_and_is_not_asked_about_again(describe, docs, server):
    server.refused = frozenset({"red"})
    rows, report = describe()
    assert rows["red.png"]["text"] is None
    assert rows["red.png"]["error"] == "the server refuses the picture: 400, BadRequestError"
    assert report.undescribed == 1
    asked = len(server.requests)
    again, report = describe()
    assert again == rows
    assert (report.new_images, len(server.requests)) == (0, asked)


def test_a_server_that_goes_away_keeps_what_it_said_and_the_next_run_goes_on(describe, docs, server):
    for number in range(20):
        draw(docs / f"{number}.png", "green", (300 + number, 300))
    server.fails_after = 9
    with pytest.raises(DescriptionError, match="answers 500"):
        describe(parallel=2)
    server.fails_after = None
    rows, report = describe()
    assert (len(rows), report.undescribed) == (23, 0)
    assert (report.new_images, report.cache_hits) == (14, 9)


def test_the_bill_is_limited_before_anything_is_sent(describe, docs, server):
    with pytest.raises(DescriptionError, match=r"3 pictures are new, max_new_images allows 2; none was described"):
        describe(max_new_images=2)
    assert server.requests == []
    assert describe(max_new_images=3)[1].new_images == 3
    assert describe(max_new_images=0)[1].cache_hits == 3


def test_a_picture_that_changes_meanwhile_is_a_row_and_described_when_it_stays(make_collection, docs, server, tmp_path):
    collection = make_collection(descriptions={"url": server.url, "model": "eyes"})
    inventory = read_inventory(collection, None, 1)
    draw(docs / "red.png", "orange")
    (docs / "blue.png").unlink()
    table, report = describe_collection(collection, inventory, tmp_path / "cache")
    errors = sorted(table["error"].drop_nulls())
    assert errors[0].startswith("cannot be read: No such file")
    assert errors[1] == "its file has changed since the inventory was made"
    assert report.undescribed == 2
    draw(docs / "red.png", "red")
    assert describe_collection(collection, inventory, tmp_path / "cache")[1].undescribed == 1


def test_a_damaged_entry_is_described_again(describe, docs, server, tmp_path):
    rows, _ = describe()
    entries = sorted((tmp_path / "cache").rglob("*.json"))
    entries[0].write_text("{")
    again, report = describe()
    assert again == rows
    assert report.new_images == 1


def test_without_the_section_nothing_is_asked(make_collection, docs, tmp_path):
    collection = make_collection()
    table, report = describe_collection(collection, read_inventory(collection, None, 1), tmp_path / "cache")
    assert table.equals(TABLES["image_descriptions"].empty())
    assert report.new_images == 0
    assert not (tmp_path / "cache").exists()


def test_an_evaluation_reads_descriptions_as_a_run_does(make_collection, docs, server, tmp_path):
    (docs / "page.md").write_text("# Lamps\n\n![](red.png)\n")
    collection = make_collection(descriptions={"url": server.url, "model": "eyes"}, scoring={"ocr": False})
    corpus = read_corpus(collection, tmp_path / "home")
    described = corpus.image_texts.filter(source="description")["text"]
    assert sorted(described) == ["A blue thing.", "A green thing.", "A red thing."]
    assert [image.described for image in corpus.fields.images] == [(text,) for text in described]
    assert {image.language for image in corpus.fields.images} == {None}  # the model chose the language, not the picture
    read_corpus(collection, tmp_path / "home")
    assert len(server.requests) == 3
