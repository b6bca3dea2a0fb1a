import os
import shutil
import sys
import unicodedata

import polars as pl
import pytest
from pictures import drawn, file_row, image_row, paths, save
from PIL import Image

from kg_pipeline.config import SKIPPED_FOLDERS
from kg_pipeline.images import InventoryTables


def test_every_image_below_the_documents_root_is_listed_and_nothing_else(docs, inventory):
    save(docs / "a" / "One.PNG", 1)
    save(docs / "two.jpeg", 2)
    (docs / "notes.md").write_text("# no image")
    (docs / "table.csv").write_text("path")
    found = inventory()
    assert paths(found) == ["a/One.PNG", "two.jpeg"]
    row = file_row(found, "a/One.PNG")
    assert row["uri"] == (docs / "a" / "One.PNG").as_uri()
    assert row["bytes"] == (docs / "a" / "One.PNG").stat().st_size
    assert row["status"] == "ok" and row["error"] is None


def test_a_named_root_and_an_inventory_stand_before_their_paths(tmp_path, docs, inventory):
    save(docs / "a.png", 1)
    save(tmp_path / "more" / "x" / "b.png", 2)
    save(tmp_path / "scans" / "c.png", 3)
    found = inventory(documents=[{"root": "docs"}, {"root": "more", "name": "extra"}], images=[{"folder": "scans"}])
    assert paths(found) == ["a.png", "extra/x/b.png", "scans/c.png"]


def test_a_file_reached_twice_is_listed_once_under_the_documents_root(tmp_path, docs, inventory):
    save(docs / "media" / "a.png", 1)
    (tmp_path / "alias").symlink_to(docs / "media")
    found = inventory(images=[{"folder": "docs/media"}, {"folder": "alias"}])
    assert paths(found) == ["media/a.png"]


def test_exclude_of_a_root_holds_for_images_but_include_does_not(docs, inventory):
    save(docs / "drafts" / "a.png", 1)
    save(docs / "b.png", 2)
    found = inventory(documents=[{"root": "docs", "include": ["*.md"], "exclude": ["drafts/"]}])
    assert paths(found) == ["b.png"]


def test_what_a_root_excludes_an_inventory_may_add_under_the_same_path(docs, inventory):
    save(docs / "drafts" / "a.png", 1)
    sections = {"documents": [{"root": "docs", "exclude": ["drafts/"]}], "images": [{"folder": "docs/drafts"}]}
    assert paths(inventory(**sections)) == ["drafts/a.png"]


def test_include_and_exclude_of_an_inventory_are_patterns(tmp_path, docs, inventory):
    for name in ("keep/a.png", "keep/old/b.png", "c.png"):
        save(tmp_path / "scans" / name, 1)
    found = inventory(images=[{"folder": "scans", "include": ["keep/**"], "exclude": ["old/"]}])
    assert paths(found) == ["scans/keep/a.png"]


def test_two_places_that_claim_one_path_lose_no_file(tmp_path, docs, inventory):
    save(docs / "scans" / "a.png", 1)
    save(tmp_path / "other" / "a.png", 2)
    found = inventory(images=[{"folder": "other", "name": "scans"}])
    assert paths(found) == ["scans/a.png", "scans/a.png~2"]
    assert file_row(found, "scans/a.png")["uri"] == (docs / "scans" / "a.png").as_uri()


@pytest.mark.parametrize(
    "name",
    [
        "with space.png",
        "quo'te\".png",
        "100%25#1?.png",
        "图片 说明.png",
        "rocket-🚀.png",
        unicodedata.normalize("NFC", "Übersicht.png"),
        unicodedata.normalize("NFD", "Übersicht.png"),
        "new\nline.png",
        "back\\slash.png",
    ],
)
def test_unusual_names_are_kept_as_they_are(docs, inventory, name):
    save(docs / name, 1)
    found = inventory()
    assert paths(found) == [name]
    assert found.image_files["status"].to_list() == ["ok"]


def test_both_unicode_forms_of_a_name_are_two_files(docs, inventory):
    for form in ("NFC", "NFD"):
        save(docs / unicodedata.normalize(form, "é.png"), 1)
    assert len(inventory().image_files) == 2


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system refuses such names")
def test_undecodable_bytes_of_a_name_are_percent_encoded(docs, inventory):
    save(docs / "a.png", 1)
    (docs / "a.png").rename(docs / os.fsdecode(b"caf\xe9.png"))
    found = inventory()
    assert paths(found) == ["caf%E9.png"]
    assert file_row(found, "caf%E9.png")["status"] == "ok"
    assert file_row(found, "caf%E9.png")["uri"].endswith("/caf%E9.png")
    found.image_files.write_parquet(docs / "x.parquet")


def test_format_comes_from_the_content_not_the_name(docs, inventory):
    save(docs / "photo.png", drawn(1), format="JPEG")
    assert image_row(inventory(), "photo.png")["format"] == "JPEG"


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_size_and_format_of_every_raster_format(docs, inventory, format_):
    save(docs / "a.png", drawn(1, (120, 80)), format=format_)
    row = image_row(inventory(), "a.png")
    assert (row["format"], row["width"], row["height"], row["frames"], row["has_alpha"]) == (format_, 120, 80, 1, False)
    assert len(row["perceptual_hash"]) == 64


def test_size_is_that_of_the_stored_picture_whatever_its_orientation(docs, inventory):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(docs / "a.jpg", drawn(1, (120, 80)), exif=exif)
    row = image_row(inventory(), "a.jpg")
    assert (row["width"], row["height"]) == (120, 80)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_frames_of_an_animation_are_counted(docs, inventory, format_):
    save(docs / "a.gif", drawn(1), format=format_, save_all=True, append_images=[drawn(2), drawn(3)])
    assert image_row(inventory(), "a.gif")["frames"] == 3


def test_transparency_counts_only_where_something_shines_through(docs, inventory):
    opaque, clear = drawn(1, mode="RGBA"), drawn(1, mode="RGBA")
    clear.putpixel((0, 0), (0, 0, 0, 0))
    palette = drawn(1).quantize(8)
    save(docs / "opaque.png", opaque)
    save(docs / "clear.png", clear)
    save(docs / "palette.png", palette, transparency=palette.getpixel((0, 0)))
    found = inventory()
    assert [image_row(found, f"{name}.png")["has_alpha"] for name in ("opaque", "clear", "palette")] == [
        False,
        True,
        True,
    ]


def test_what_is_transparent_is_white_to_the_hash(docs, inventory):
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (40, 20, 60, 80))
    save(docs / "clear.png", picture)
    white = Image.new("RGB", (100, 100), "white")
    white.paste((0, 0, 0), (40, 20, 60, 80))
    save(docs / "white.png", white)
    found = inventory()
    assert image_row(found, "clear.png")["perceptual_hash"] == image_row(found, "white.png")["perceptual_hash"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "I", "F", "RGBA"])
def test_every_pixel_mode_has_a_hash(docs, inventory, mode):
    suffix = "tif" if mode in ("CMYK", "I", "F", "LA") else "png"
    picture = Image.linear_gradient("L").convert("F" if mode == "F" else "I") if mode in ("I;16", "I", "F") else None
    picture = picture.convert("I;16") if mode == "I;16" else picture
    save(docs / f"a.{suffix}", picture or drawn(1, mode=mode))
    assert image_row(inventory(), f"a.{suffix}")["perceptual_hash"]


def test_one_content_under_two_paths_is_one_image_named_by_the_first(docs, inventory):
    save(docs / "b.png", 1)
    shutil.copy(docs / "b.png", docs / "a.png")
    found = inventory()
    assert len(found.images) == 1
    assert found.images["path"][0] == "a.png"
    assert image_row(found, "b.png") == image_row(found, "a.png")


def many(docs) -> None:
    for number in range(90):
        save(docs / f"{number % 7}" / f"{number}.png", drawn(number, (60, 50)))
    (docs / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    save(docs / "one.png", Image.new("RGB", (30, 300), "red"))


def test_tables_are_the_same_whatever_the_number_of_workers(docs, inventory):
    many(docs)
    alone, together = inventory(workers=1), inventory(workers=2)
    assert alone.image_files.equals(together.image_files)
    assert alone.images.equals(together.images)


def test_unchanged_files_are_not_read_again_and_give_the_same_tables(docs, inventory, monkeypatch):
    many(docs)
    first = inventory()
    read = []
    monkeypatch.setattr(
        "kg_pipeline.images.inventory.examine", lambda data, limits: read.append(data) or pytest.fail("read again")
    )
    (docs / "broken.png").unlink()
    second = inventory(first)
    assert read == []
    assert second.images.equals(first.images)
    assert second.image_files.equals(first.image_files.filter(pl.col("path") != "broken.png"))


def test_a_changed_file_is_read_again(docs, inventory):
    save(docs / "a.png", 1)
    first = inventory()
    save(docs / "a.png", 2)
    os.utime(docs / "a.png", (1, 1))
    assert inventory(first).images["image_id"].to_list() != first.images["image_id"].to_list()


def test_limits_made_smaller_hold_for_unchanged_files_as_well(docs, inventory):
    save(docs / "a.png", 1)
    first = inventory()
    assert file_row(inventory(first, limits={"image_pixels": 100}), "a.png")["status"] == "skipped"


def test_a_file_that_became_unreadable_is_carried_on_as_stale(docs, inventory):
    save(docs / "a.png", 1)
    first = inventory()
    (docs / "a.png").write_bytes(b"<html>")
    second = inventory(first)
    row = file_row(second, "a.png")
    assert row["status"] == "stale" and "HTML" in row["error"]
    assert row["image_id"] == file_row(first, "a.png")["image_id"]
    assert second.images.equals(first.images)
    third = inventory(second)
    assert third.image_files.equals(second.image_files)
    save(docs / "a.png", 1)
    assert file_row(inventory(third), "a.png")["status"] == "ok"


@pytest.mark.parametrize(
    ("section", "gone"),
    [
        ({}, "docs"),
        ({"documents": [{"root": "docs", "name": "manual"}]}, "docs"),
        ({"images": [{"folder": "scans"}]}, "scans"),
        ({"images": [{"archive": "scans.zip"}]}, "scans.zip"),
        ({"images": [{"manifest": "list.csv"}]}, "list.csv"),
    ],
)
def test_a_place_that_is_gone_keeps_its_images_as_stale(tmp_path, docs, inventory, section, gone):
    save(docs / "a.png", 1)
    save(tmp_path / "scans" / "b.png", 2)
    shutil.make_archive(str(tmp_path / "scans"), "zip", tmp_path / "scans")
    (tmp_path / "list.csv").write_text("path\nscans/b.png\n")
    first = inventory(**section)
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    second = inventory(first, **section)
    assert second.image_files["status"].to_list().count("unlistable") == 1
    assert second.images.equals(first.images)
    assert set(second.image_files["status"]) <= {"ok", "stale", "unlistable"}
    assert "stale" in second.image_files["status"].to_list()


def test_without_a_previous_run_a_missing_root_is_one_row(docs, inventory):
    docs.rmdir()
    row = inventory().image_files.row(0, named=True)
    assert (row["path"], row["status"]) == (".", "unlistable")
    assert "No such file" in row["error"]


def test_an_inventory_of_nothing_gives_empty_tables(docs, inventory):
    found = inventory()
    assert isinstance(found, InventoryTables)
    assert found.image_files.is_empty() and found.images.is_empty()


def test_what_is_never_content_is_not_listed(docs, inventory):
    for folder in (*SKIPPED_FOLDERS, "work/tables", ".gitbook/assets"):
        (docs / folder).mkdir(parents=True)
        save(docs / folder / "a.png", 1)
    (docs / "work" / "dagster").mkdir()
    (docs / "work" / "dagster" / "dagster.yaml").write_text("")
    assert paths(inventory()) == [".gitbook/assets/a.png"]
