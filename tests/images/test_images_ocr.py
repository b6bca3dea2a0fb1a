import json
import logging

import polars as pl
import pytest
from pictures import drawn, image_row, save
from PIL import Image, ImageDraw, ImageFont

from kg_pipeline.images import ImageError, import_ocr, ocr_pending, read_image_texts
from kg_pipeline.images.decoding import as_seen
from kg_pipeline.images.ocr import LONGEST_SIDE
from kg_pipeline.images.ocr_cache import Entry, Line, entry_path, load_entry, store_entry

HEADER = "sha256,image,line,text,confidence,left,top,right,bottom\n"
ID = "ab" * 32


def written(text: str, ground=(0, 0, 0, 0)) -> Image.Image:
    image = Image.new("RGBA", (420, 320), ground)  # RapidOCR enlarges the shorter side to 736
    ImageDraw.Draw(image).text((12, 12), text, fill="black", font=ImageFont.load_default(30))
    return image


def ocr_texts(table: pl.DataFrame, image_id: str) -> list[str]:
    return table.filter((pl.col("source") == "ocr") & (pl.col("image_id") == image_id))["text"].to_list()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "home" / "cache" / "ocr"


def test_text_in_pictures_is_read_once_and_kept(docs, inventory, make_collection, cache, monkeypatch, capfd):
    save(docs / "clear.png", written("PRESSURE HIGH"))
    sheet = written("VALVE OPEN", "white").convert("L")
    save(docs / "moving.gif", drawn(1, sheet.size), save_all=True, append_images=[sheet, drawn(2, sheet.size)])
    turned = Image.Exif()
    turned[0x0112] = 6
    save(docs / "turned.jpg", written("MOTOR LEFT", "white").convert("RGB").rotate(90, expand=True), exif=turned)
    (docs / "a.svg").write_text("<svg><text>drawn</text></svg>")
    found = inventory()
    assert ocr_pending(found, cache) == 3
    table = read_image_texts(make_collection(), found, cache, workers=1)
    assert ocr_pending(found, cache) == 0
    assert " ".join(ocr_texts(table, image_row(found, "clear.png")["image_id"])) == "PRESSURE HIGH"
    assert " ".join(ocr_texts(table, image_row(found, "turned.jpg")["image_id"])) == "MOTOR LEFT"
    assert table.filter(pl.col("source") == "ocr")["confidence"].is_between(0.5, 1).all()
    output = capfd.readouterr()
    assert "RapidOCR" not in output.out + output.err
    monkeypatch.setattr("kg_pipeline.images.ocr._engine", lambda: pytest.fail("read again"))
    assert read_image_texts(make_collection(), found, cache, workers=1).equals(table)


def test_results_do_not_depend_on_the_number_of_workers(docs, inventory, make_collection, tmp_path):
    for number, text in enumerate(("ONE", "TWO", "THREE FOUR")):
        save(docs / f"{number}.png", written(f"{text} SWITCH"))
    found = inventory()
    alone = read_image_texts(make_collection(), found, tmp_path / "a", workers=1)
    together = read_image_texts(make_collection(), found, tmp_path / "b", workers=2)
    assert alone.equals(together)
    assert alone.filter(pl.col("source") == "ocr")["image_id"].n_unique() == 3


def test_a_picture_ocr_cannot_read_is_a_warning_and_an_entry_with_the_reason(
    docs, inventory, make_collection, cache, monkeypatch, caplog
):
    def engine():
        def fail(picture):
            raise ValueError("no such luck")

        return fail

    save(docs / "a.png", 1)
    found = inventory()
    monkeypatch.setattr("kg_pipeline.images.ocr._engine", engine)
    table = read_image_texts(make_collection(), found, cache, workers=1)
    assert "ocr" not in table["source"].to_list()
    assert "no such luck" in caplog.text and "a.png" in caplog.text
    assert "no such luck" in load_entry(cache, found.images["image_id"][0]).error
    assert ocr_pending(found, cache) == 0


def test_a_file_that_is_gone_is_a_warning_and_stays_pending(docs, inventory, make_collection, cache, caplog):
    save(docs / "a.png", 1)
    found = inventory()
    (docs / "a.png").unlink()
    read_image_texts(make_collection(), found, cache, workers=1)
    assert "a.png" in caplog.text
    assert ocr_pending(found, cache) == 1


def test_pictures_are_prepared_upright_on_white_and_no_larger_than_needed(docs, make_collection):
    limits = make_collection().limits
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(docs / "a.jpg", drawn(1, (2000, 1000)), exif=exif)
    assert as_seen(path.read_bytes(), limits, LONGEST_SIDE).size == (640, 1280)
    path = save(docs / "b.png", written("x"))
    assert as_seen(path.read_bytes(), limits, LONGEST_SIDE).getpixel((0, 0)) == (255, 255, 255)


def test_an_animation_is_read_in_its_middle(docs, make_collection):
    frames = [Image.new("RGB", (60, 60), colour) for colour in ("red", "lime", "blue")]
    path = save(docs / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert as_seen(path.read_bytes(), make_collection().limits, LONGEST_SIDE).getpixel((5, 5)) == (0, 255, 0)


def test_an_entry_comes_back_as_it_was_stored(cache):
    entry = Entry("reader 1", (Line("压力 °C", 0.5, (1, 2, 3, 4)),), None)
    store_entry(cache, ID, entry)
    assert entry_path(cache, ID) == cache / "ab" / f"{ID}.json"
    assert load_entry(cache, ID) == entry
    assert json.loads(entry_path(cache, ID).read_text())["reader"] == "reader 1"
    assert [path.name for path in (cache / "ab").iterdir()] == [f"{ID}.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"recipe": "1"}', '{"recipe": "1", "lines": [{}]}'])
def test_a_damaged_entry_counts_as_missing(cache, content, caplog):
    store_entry(cache, ID, Entry("reader"))
    entry_path(cache, ID).write_text(content)
    assert load_entry(cache, ID) is None
    assert "damaged" in caplog.text


def test_an_entry_of_another_recipe_counts_as_missing(cache):
    store_entry(cache, ID, Entry("reader"))
    text = entry_path(cache, ID).read_text().replace('"recipe": "2"', '"recipe": "0"')
    entry_path(cache, ID).write_text(text)
    assert load_entry(cache, ID) is None


def test_imported_lines_are_the_pictures_text_in_their_order(docs, inventory, make_collection, cache, tmp_path):
    save(docs / "a.png", 1)
    save(docs / "blank.png", 2)
    found = inventory()
    image_id, blank = (image_row(found, name)["image_id"] for name in ("a.png", "blank.png"))
    rows = f"{image_id},a.png,2,second,0.5,1,2,3,4\n{image_id},a.png,1,first,0.9,1.6,2,3,4\n{blank},blank.png,0,,,,,,\n"
    (tmp_path / "ocr.csv").write_text(HEADER + rows)
    assert import_ocr(tmp_path / "ocr.csv", cache) == 2
    assert ocr_pending(found, cache) == 0
    table = read_image_texts(make_collection(), found, cache, workers=1)
    assert ocr_texts(table, image_id) == ["first", "second"]
    assert load_entry(cache, image_id).lines[0] == Line("first", 0.9, (2, 2, 3, 4))


def test_copies_of_a_picture_are_imported_once(cache, tmp_path):
    (tmp_path / "ocr.csv").write_text(f"{HEADER}{ID},a.png,1,text,0.9,1,2,3,4\n{ID},copy.png,1,text,0.9,1,2,3,4\n")
    assert import_ocr(tmp_path / "ocr.csv", cache) == 1
    assert len(load_entry(cache, ID).lines) == 1


def test_import_leaves_what_is_cached_alone(cache, tmp_path):
    store_entry(cache, ID, Entry("own"))
    (tmp_path / "ocr.csv").write_text(f"{HEADER}{ID},a.png,1,text,0.9,1,2,3,4\n")
    assert import_ocr(tmp_path / "ocr.csv", cache) == 0
    assert load_entry(cache, ID).reader == "own"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sha256,text\n", "line 1: missing column image, line, confidence"),
        ("", "missing column"),
        (f"{HEADER}xyz,a,1,t,1,1,1,1,1\n", "line 2: 'xyz' is no SHA-256"),
        (f"{HEADER}{ID},a,one,t,1,1,1,1,1\n", "line 2: line, confidence and the box must be numbers"),
        (f"{HEADER}{ID},a,1,t\n", "line 2"),
    ],
)
def test_a_table_that_does_not_fit_is_an_error_naming_file_and_line_and_nothing_is_stored(
    cache, tmp_path, content, words
):
    (tmp_path / "ocr.csv").write_text(content)
    with pytest.raises(ImageError) as error:
        import_ocr(tmp_path / "ocr.csv", cache)
    assert str(tmp_path / "ocr.csv") in str(error.value) and words in str(error.value)
    assert not cache.exists()


def test_a_missing_table_is_an_error(cache, tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        import_ocr(tmp_path / "none.csv", cache)


def test_nothing_is_logged_for_pictures_without_text(docs, inventory, make_collection, cache, caplog):
    caplog.set_level(logging.WARNING)
    save(docs / "blank.png", Image.new("RGB", (100, 100), "white"))
    read_image_texts(make_collection(), inventory(), cache, workers=1)
    assert caplog.text == ""
