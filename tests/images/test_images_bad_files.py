import os
import struct
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import drawn, file_row, huge_png, paths, save
from PIL import Image

from kg_pipeline.config import Limits
from kg_pipeline.images.decoding import examine
from kg_pipeline.images.errors import ImageError

FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "JPEG2000"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "not an image: HTML"),
        (b"\n<!-- saved --><HTML>", "not an image: HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"%PDF-1.7", "PDF"),
        (b"plain words", "not an image: text"),
        (b"\x00\x01\x02\x03", "unknown data"),
        (b"\x00\x00\x00\x1cftypavif", "broken AVIF"),
        (b"\x00\x00\x00\x1cftypheic", "broken HEIF"),
        (b"\x89PNG\r\n\x1a\n", "broken PNG"),
        (b"GIF89a", "broken GIF"),
        (b"BM", "broken BMP"),
        (b"\xff\xd8\xff", "broken JPEG"),
        (b"RIFF\x00\x00\x00\x00WEBP", "broken WEBP"),
        (b"II\x2a\x00", "broken TIFF"),
        (b"\x00\x00\x01\x00", "broken ICO"),
        (b"\x00\x00\x01\x00\x01\x00" + bytes(16), "broken ICO"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "broken JPEG2000"),
        (b"\xff\x4f\xff\x51", "broken JPEG2000"),
        (b"<?xml version='1.0'?><plist/>", "markup beginning with <plist>"),
        (b"<svg", "broken SVG"),
    ],
)
def test_content_that_is_no_image_is_unreadable_and_named(docs, inventory, content, words):
    (docs / "a.png").write_bytes(content)
    found = inventory()
    row = file_row(found, "a.png")
    assert row["status"] == "unreadable"
    assert words in row["error"]
    assert row["image_id"] is None and found.images.is_empty()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_truncated_picture_is_unreadable(docs, inventory, format_):
    path = save(docs / "a.png", drawn(1, (300, 300)), format=format_)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert file_row(inventory(), "a.png")["status"] == "unreadable"


def test_a_picture_of_too_many_pixels_is_skipped_undecoded(docs, inventory):
    (docs / "a.png").write_bytes(huge_png(30_000))
    tracemalloc.start()
    row = file_row(inventory(), "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row["status"] == "skipped"
    assert "30000 x 30000" in row["error"] and "image_pixels" in row["error"]
    assert peak < 100_000_000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "BMP"])
def test_pixel_limits_are_those_of_the_collection_not_of_pillow(docs, inventory, monkeypatch, format_):
    save(docs / "a.png", drawn(1), format=format_)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert inventory().image_files["status"].to_list() == ["ok"]


@pytest.mark.parametrize("format_", ["WEBP", "TIFF"])
def test_what_pillow_itself_refuses_is_skipped(docs, inventory, monkeypatch, format_):
    save(docs / "a.png", drawn(1), format=format_)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    row = file_row(inventory(), "a.png")
    assert row["status"] == "skipped" and "refused by Pillow" in row["error"]


def test_a_file_of_too_many_bytes_is_skipped(docs, inventory):
    save(docs / "a.bmp", drawn(1))
    row = file_row(inventory(limits={"image_bytes": 1000}), "a.bmp")
    assert row["status"] == "skipped" and "image_bytes" in row["error"]


def test_a_link_that_leaves_the_root_is_skipped(tmp_path, docs, inventory):
    save(tmp_path / "secret" / "a.png", 1)
    (docs / "file.png").symlink_to(tmp_path / "secret" / "a.png")
    (docs / "folder").symlink_to(tmp_path / "secret")
    found = inventory()
    assert paths(found) == ["file.png", "folder"]
    assert set(found.image_files["status"]) == {"skipped"}
    assert all("leaves the folder" in error for error in found.image_files["error"])


def test_links_inside_the_root_are_paths_of_their_own_and_loops_end(docs, inventory):
    save(docs / "a" / "a.png", 1)
    (docs / "b.png").symlink_to(docs / "a" / "a.png")
    (docs / "a" / "loop").symlink_to(docs)
    found = inventory()
    assert paths(found) == ["a/a.png", "b.png"]
    assert len(found.images) == 1


def test_a_broken_link_is_unreadable(docs, inventory):
    (docs / "a.png").symlink_to(docs / "gone.png")
    (docs / "b.png").symlink_to(docs / "b.png")
    found = inventory()
    assert found.image_files["status"].to_list() == ["unreadable", "unreadable"]


def test_a_pipe_does_not_stop_the_run(docs, inventory):
    os.mkfifo(docs / "a.png")
    row = file_row(inventory(), "a.png")
    assert (row["status"], row["error"]) == ("skipped", "not a regular file")


def test_a_folder_that_cannot_be_listed_is_a_row_and_its_images_are_stale(docs, inventory, monkeypatch):
    save(docs / "sub" / "a.png", 1)
    save(docs / "b.png", 2)
    first = inventory()
    scandir = os.scandir

    def refusing(path):
        if os.fspath(path).rstrip("/").endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    second = inventory(first)
    assert dict(second.image_files.select("path", "status").iter_rows()) == {
        "b.png": "ok",
        "sub": "unlistable",
        "sub/a.png": "stale",
    }
    assert "Permission denied" in file_row(second, "sub/a.png")["error"]


def test_a_folder_named_like_an_image_is_a_folder(docs, inventory):
    save(docs / "shots.png" / "a.png", 1)
    assert paths(inventory()) == ["shots.png/a.png"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(format_=st.sampled_from(FORMATS), places=st.lists(st.integers(0, 1 << 30), max_size=6), cut=st.floats(0, 1))
def test_damage_of_any_kind_is_either_decoded_or_an_image_error(tmp_path, format_, places, cut):
    path = tmp_path / format_
    if not path.exists():
        save(path, drawn(1, (64, 48)), format=format_)
    data = bytearray(path.read_bytes())
    for place in places:
        data[place % len(data)] ^= 1 + place % 255
    data = bytes(data[: max(4, int(len(data) * cut) if cut < 0.9 else len(data))])
    try:
        examine(data, Limits(image_pixels=1_000_000))
    except ImageError as error:
        assert str(error)


def test_a_gif_whose_frame_outgrows_its_canvas_is_an_image_error(docs, inventory):
    path = save(docs / "a.gif", drawn(1, (64, 48)))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"\x2c\x00\x00\x00\x00\x40\x00\x30\x00")
    data[place : place + 9] = b"\x2c" + struct.pack("<HHHH", 0, 0, 65535, 65535)
    path.write_bytes(data)
    assert file_row(inventory(), "a.gif")["status"] in ("unreadable", "skipped")
