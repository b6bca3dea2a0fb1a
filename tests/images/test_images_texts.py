import logging
import shutil

import polars as pl
import pytest
from pictures import drawn, file_row, save
from PIL import Image

from kg_pipeline.images import read_image_texts
from kg_pipeline.images.exif import exif_texts


@pytest.fixture
def texts(make_collection, inventory, tmp_path):
    """Texts of the collection without OCR, as {(path of image, source): [text, …]}."""

    def read(**sections) -> dict[tuple[str, str], list[str]]:
        found = inventory(**sections)
        collection = make_collection(**sections, scoring={"ocr": False})
        table = read_image_texts(collection, found, tmp_path / "cache", workers=1)
        assert not (tmp_path / "cache").exists()
        named = table.join(found.images.select("image_id", "path"), on="image_id")
        result: dict[tuple[str, str], list[str]] = {}
        for path, source, text in named.select("path", "source", "text").iter_rows():
            result.setdefault((path, source), []).append(text)
        return result

    return read


def test_names_and_folders_of_every_path_of_an_image(docs, texts):
    save(docs / "setup" / "Wi-Fi_settings.v2.png", 1)
    (docs / "x").mkdir()
    shutil.copy(docs / "setup" / "Wi-Fi_settings.v2.png", docs / "x" / "copy.png")
    save(docs / "top.png", 2)
    found = texts()
    assert found["setup/Wi-Fi_settings.v2.png", "name"] == ["Wi-Fi_settings.v2", "copy"]
    assert found["setup/Wi-Fi_settings.v2.png", "folder"] == ["setup", "x"]
    assert ("top.png", "folder") not in found


def test_text_of_drawings_stands_under_svg(docs, texts):
    (docs / "a.svg").write_text("<svg><title>Pump</title><text>Valve</text></svg>")
    assert texts()["a.svg", "svg"] == ["Pump", "Valve"]


def photograph(path, **tags):
    exif = Image.Exif()
    exif[0x0132] = tags.get("time", "2019:05:04 12:00:01")
    exif[0x010E] = tags.get("description", "")
    exif.get_ifd(0x8769)[0x9286] = tags.get("comment", b"")
    if "original" in tags:
        exif.get_ifd(0x8769)[0x9003] = tags["original"]
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 34.56), 3: "E", 4: (16.0, 22.0, 12.34), 29: "2019:05:04"})
    return save(path, drawn(1), exif=exif)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_time_description_and_comment_of_a_photograph(docs, texts, suffix):
    photograph(docs / f"a.{suffix}", description="Cabinet, door open", comment=b"ASCII\0\0\0left side")
    assert texts()[f"a.{suffix}", "exif"] == ["2019-05-04 12:00:01", "Cabinet, door open", "left side"]


def test_time_and_description_of_a_tiff(docs, texts):
    photograph(docs / "a.tif", description="Cabinet")
    assert texts()["a.tif", "exif"][:2] == ["2019-05-04 12:00:01", "Cabinet"]


def test_the_time_it_was_taken_goes_before_the_time_it_was_saved(docs, texts):
    photograph(docs / "a.jpg", original="2018:01:02 03:04:05")
    assert texts()["a.jpg", "exif"] == ["2018-01-02 03:04:05"]


def test_comments_in_utf_16_are_text(docs, texts):
    photograph(docs / "a.jpg", comment=b"UNICODE\0" + "左侧".encode("utf-16"))
    assert texts()["a.jpg", "exif"][-1] == "左侧"


@pytest.mark.parametrize("time", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday"])
def test_a_time_that_is_none_is_left_out(docs, texts, time):
    photograph(docs / "a.jpg", time=time)
    assert ("a.jpg", "exif") not in texts()


@pytest.mark.parametrize("text", ["OLYMPUS DIGITAL CAMERA", "SONY DSC", "  ", "---"])
def test_what_cameras_write_by_themselves_is_no_description(docs, texts, text):
    photograph(docs / "a.jpg", description=text)
    assert texts()["a.jpg", "exif"] == ["2019-05-04 12:00:01"]


@pytest.mark.parametrize(
    "text", ["48.2082, 16.3738", "lat=48.2 lon=16.3", "48°12'N 16°22'E", "N48 12.5", "GPS fix 48.2/16.3"]
)
def test_a_position_is_never_stored_or_logged_wherever_it_stands(docs, texts, caplog, text):
    caplog.set_level(logging.DEBUG)
    photograph(docs / "a.jpg", description=text, comment=b"ASCII\0\0\0" + text.encode("latin-1"))
    assert texts()["a.jpg", "exif"] == ["2019-05-04 12:00:01"]
    logged = caplog.text
    assert "34.56" not in logged and "12.34" not in logged and text not in logged and "GPSLatitude" not in logged


def test_a_broken_exif_block_is_no_text(docs, texts):
    save(docs / "a.jpg", drawn(1), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert ("a.jpg", "exif") not in texts()
    assert exif_texts(Image.new("L", (1, 1))) == []


def test_a_file_that_changed_since_the_inventory_gives_no_text_but_a_warning(
    docs, inventory, make_collection, tmp_path, caplog
):
    (docs / "a.svg").write_text("<svg><text>old</text></svg>")
    found = inventory()
    (docs / "a.svg").write_text("<svg><text>new</text></svg>")
    table = read_image_texts(make_collection(scoring={"ocr": False}), found, tmp_path / "cache", 1)
    assert table["source"].to_list() == ["name"]
    assert "a.svg" in caplog.text and "changed" in caplog.text


def test_stale_images_keep_their_names(docs, inventory, make_collection, tmp_path):
    save(docs / "a.png", 1)
    first = inventory()
    (docs / "a.png").write_bytes(b"")
    second = inventory(first)
    table = read_image_texts(make_collection(scoring={"ocr": False}), second, tmp_path / "cache", 1)
    assert table.filter(pl.col("source") == "name")["image_id"].to_list() == [file_row(first, "a.png")["image_id"]]
