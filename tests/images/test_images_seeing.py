"""What a person sees: turned, transparent, animated, many pages, other colours, cameras' formats."""

import random
import struct
from functools import reduce
from io import BytesIO
from operator import xor
from pathlib import Path

import numpy as np
import pptx
import pytest
from pictures import drawn, file_row, image_row, save
from PIL import Image, ImageCms, ImageDraw
from pillow_heif import from_pillow

from kg_pipeline.config import Limits
from kg_pipeline.images import thumbnail
from kg_pipeline.images.decoding import as_seen, examine, is_seen_as_stored, open_raster, pages_as_seen
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.ocr import ocr_pending
from kg_pipeline.images.ocr_cache import Entry, store_entry

LIMITS = Limits(image_pixels=1_000_000)
TURNED = {0x0112: 6}


def packed(image: Image.Image, format_: str, **options) -> bytes:
    file = BytesIO()
    if format_ == "HEIF":
        from_pillow(image).save(file, quality=90, **options)
    else:
        image.save(file, format_, **options)
    return file.getvalue()


def exif() -> bytes:
    block = Image.Exif()
    block.update(TURNED)
    return block.tobytes()


def on_clear(ink: str, box: str | None = None) -> Image.Image:
    image = Image.new("RGBA", (200, 100))
    draw = ImageDraw.Draw(image)
    if box:
        draw.rectangle((20, 10, 180, 60), fill=box, outline=ink)
    draw.text((30, 70), "between the boxes", fill=ink)
    return image


def animated(format_: str, blank_first: int = 3) -> bytes:
    white = Image.new("RGB", (64, 48), "white")
    frames = [white.copy() for _ in range(blank_first)] + [drawn(5, (64, 48)), white.copy()]
    for number, frame in enumerate(frames):  # equal frames would be merged
        frame.putpixel((0, 0), (250 - number, 255, 255))
    lossless = {"lossless": True} if format_ == "WEBP" else {}
    return packed(frames[0], format_, save_all=True, append_images=frames[1:], duration=100, **lossless)


def tiff_pages(*pages: Image.Image) -> bytes:
    return packed(pages[0], "TIFF", save_all=True, append_images=pages[1:])


@pytest.mark.parametrize(("format_", "suffix"), [("HEIF", ".heic"), ("AVIF", ".avif")])
def test_pictures_of_cameras_and_phones_are_read_and_stand_upright(docs, inventory, format_, suffix):
    image = Image.new("RGB", (80, 40), "red")
    image.paste("blue", (0, 0, 40, 40))
    (docs / f"a{suffix}").write_bytes(packed(image, format_, exif=exif()))
    row = image_row(inventory(), f"a{suffix}")
    assert (row["format"], row["frames"], row["has_alpha"]) == (format_, 1, False)
    seen = as_seen((docs / f"a{suffix}").read_bytes(), LIMITS)
    assert seen.size == (40, 80)
    top, bottom = seen.getpixel((20, 10)), seen.getpixel((20, 70))
    assert top[2] > 200 > 60 > top[0] and bottom[0] > 200 > 60 > bottom[2]
    assert thumbnail((docs / f"a{suffix}").as_uri(), Limits(), 20)


def metafile(placed: bool = True) -> bytes:
    """A WMF of an ellipse and a line; `placed` with the header that says its size."""

    def record(function: int, *numbers: int) -> bytes:
        return struct.pack(f"<IH{len(numbers)}h", 3 + len(numbers), function, *numbers)

    origin_and_extent = record(0x020B, 0, 0) + record(0x020C, 1000, 1000)
    drawn = record(0x0418, 900, 900, 100, 100) + record(0x0214, 0, 0) + record(0x0213, 1000, 1000)
    records = origin_and_extent + drawn + record(0)
    header = struct.pack("<HHHIHIH", 1, 9, 0x300, 9 + len(records) // 2, 0, 7, 0)
    place = struct.pack("<IHhhhhHI", 0x9AC6CDD7, 0, 0, 0, 1000, 1000, 1000, 0)
    checksum = reduce(xor, (word for (word,) in struct.iter_unpack("<H", place)))
    return (place + struct.pack("<H", checksum) if placed else b"") + header + records


# python-pptx brings them along.
REAL_EMF = sorted((Path(pptx.__file__).parent / "templates").glob("*.emf"))


@pytest.mark.parametrize("file", REAL_EMF, ids=lambda file: file.name)
def test_drawings_of_office_are_rendered(file, docs, inventory):
    (docs / "a.emf").write_bytes(file.read_bytes())
    row = image_row(inventory(), "a.emf")
    assert (row["format"], row["role"]) == ("EMF", "content")
    assert 140 < row["width"] < 180 and 90 < row["height"] < 120  # about an inch
    assert np.asarray(as_seen(file.read_bytes(), LIMITS)).std() > 20
    assert thumbnail((docs / "a.emf").as_uri(), Limits(), 80)


@pytest.mark.parametrize("placed", [True, False])
def test_a_wmf_is_rendered_on_white(placed):
    assert examine(metafile(placed), LIMITS).format == "WMF"
    seen = np.asarray(as_seen(metafile(placed), LIMITS).convert("L").resize((100, 100)))
    assert seen[50, 9:12].min() < 250 and seen[50, 50] < 250 and seen[5, 60] == 255


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x00\x00\x00" + bytes(36) + b" EMF" + bytes(60),
        b"\xd7\xcd\xc6\x9a" + bytes(60),
        b"\x01\x00\x09\x00\x00\x03" + bytes(60),
        metafile()[:60],
    ],
)
def test_damaged_drawings_of_windows_are_rows_that_say_so(docs, inventory, data):
    (docs / "a.emf").write_bytes(data)
    row = file_row(inventory(), "a.emf")
    assert row["status"] == "unreadable" and "MF: " in row["error"]


def test_of_an_icon_file_the_largest_picture_is_read_and_it_is_decoration(docs, inventory):
    save(docs / "a.ico", drawn(1, (256, 256), "RGBA"), sizes=[(16, 16), (256, 256), (48, 48)])
    row = image_row(inventory(), "a.ico")
    assert (row["format"], row["width"], row["height"], row["role"]) == ("ICO", 256, 256, "decorative")
    assert row["decorative_reason"] == "icon: a file of icons"
    assert thumbnail((docs / "a.ico").as_uri(), Limits(), 80)


@pytest.mark.parametrize("bitmap_format", ["png", "bmp"])
def test_the_size_of_an_icon_is_that_of_its_picture_and_refused_before_it_is_decoded(bitmap_format):
    icon = BytesIO()
    drawn(1, (48, 48), "RGBA").save(icon, "ICO", sizes=[(48, 48)], bitmap_format=bitmap_format)
    assert examine(icon.getvalue(), Limits(image_pixels=48 * 48)).width == 48
    with pytest.raises(ImageError, match="48 x 48 pixels, more than"):
        examine(icon.getvalue(), Limits(image_pixels=48 * 48 - 1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", [".jp2", ".j2k"])
def test_jpeg_2000_is_read(docs, inventory, mode, suffix):
    image = drawn(3).convert("L").convert("I;16") if mode == "I;16" else drawn(3, mode=mode)
    save(docs / f"a{suffix}", image, format="JPEG2000", no_jp2=suffix == ".j2k")
    row = image_row(inventory(), f"a{suffix}")
    assert (row["format"], row["width"], row["height"]) == ("JPEG2000", 200, 150)
    assert np.asarray(as_seen((docs / f"a{suffix}").read_bytes(), LIMITS)).std() > 30


def test_dark_ink_without_a_ground_is_seen_on_white_and_light_ink_on_dark():
    assert as_seen(packed(on_clear("black"), "PNG"), LIMITS).getpixel((0, 0)) == (255, 255, 255)
    assert max(as_seen(packed(on_clear("white"), "PNG"), LIMITS).getpixel((0, 0))) < 50


def test_white_boxes_with_black_lines_and_words_between_them_stay_on_white():
    assert as_seen(packed(on_clear("black", box="white"), "PNG"), LIMITS).getpixel((0, 0)) == (255, 255, 255)


def test_light_ink_without_a_ground_is_not_taken_for_a_picture_of_one_colour(docs, inventory):
    save(docs / "a.png", on_clear("white"))
    save(docs / "b.png", Image.new("RGBA", (50, 50)))
    found = inventory()
    assert image_row(found, "a.png")["decorative_reason"] is None
    assert image_row(found, "b.png")["decorative_reason"] is not None


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_is_seen_at_the_frame_with_most_in_it(format_):
    data = animated(format_)
    assert np.asarray(as_seen(data, LIMITS)).std() > 30
    assert as_seen(data, LIMITS).tobytes() == as_seen(data, LIMITS).tobytes()
    assert examine(data, LIMITS).frames == 5 and not examine(data, LIMITS).one_colour


@pytest.mark.parametrize("format_", ["GIF", "PNG"])
def test_an_animation_that_is_cut_off_is_seen_up_to_the_cut(format_):
    data = animated(format_, blank_first=1)
    assert np.asarray(as_seen(data[: len(data) - 40], LIMITS)).std() > 30


def test_a_tiff_is_seen_at_its_first_page_with_something_on_it_and_read_page_by_page():
    blank, first, second = Image.new("L", (90, 60), 255), drawn(1, (90, 60)), drawn(2, (60, 90))
    data = tiff_pages(blank, first, second)
    assert as_seen(data, LIMITS).tobytes() == first.tobytes()
    assert [page.size for page in pages_as_seen(data, LIMITS, 1000)] == [(90, 60), (90, 60), (60, 90)]
    assert as_seen(tiff_pages(blank, blank), LIMITS).size == (90, 60)


def test_a_page_of_a_tiff_with_too_many_pixels_is_left_out():
    data = tiff_pages(drawn(1, (90, 60)), Image.new("1", (2000, 2000)), drawn(2, (90, 60)))
    assert len(list(pages_as_seen(data, LIMITS, 1000))) == 2


def test_a_turned_tiff_is_upright():
    assert as_seen(packed(drawn(1, (90, 60)), "TIFF", tiffinfo=TURNED), LIMITS).size == (60, 90)


def test_cmyk_and_lab_become_the_colours_they_mean():
    for mode, value in (("CMYK", (0, 255, 255, 0)), ("LAB", (136, 208, 195))):
        red, green, blue = as_seen(packed(Image.new(mode, (8, 8), value), "TIFF"), LIMITS).getpixel((4, 4))
        assert red > 230 and green < 60 and blue < 60


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bits_of_grey_are_spread_over_8(format_):
    values = np.linspace(1000, 3000, 64 * 64, dtype=np.uint16).reshape(64, 64)
    seen = as_seen(packed(Image.fromarray(values), format_), LIMITS)
    assert (seen.getpixel((0, 0)), seen.getpixel((63, 63))) == ((0, 0, 0), (255, 255, 255))


def test_colours_of_another_profile_are_converted_and_a_broken_one_is_left_out():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = drawn(1, (60, 40))
    for profile in (lab, srgb, b"none", b"\0" * 200):
        assert as_seen(packed(image, "PNG", icc_profile=profile), LIMITS).tobytes() == image.tobytes()
    swapped = bytearray(srgb)
    place = {name: srgb.index(name, 128) for name in (b"rXYZ", b"bXYZ")}
    for name, other in ((b"rXYZ", b"bXYZ"), (b"bXYZ", b"rXYZ")):
        swapped[place[name] : place[name] + 4] = other
    described = srgb.index("sRGB".encode("utf-16-be")) if "sRGB".encode("utf-16-be") in srgb else srgb.rindex(b"sRGB")
    swapped[described : described + 8] = "Swap".encode("utf-16-be")
    red, green, blue = as_seen(
        packed(Image.new("RGB", (8, 8), "red"), "PNG", icc_profile=bytes(swapped)), LIMITS
    ).getpixel((4, 4))
    assert blue > 200 > 60 > red and green < 60


def test_only_plain_still_upright_pictures_are_seen_as_stored():
    def plain(data: bytes) -> bool:
        return is_seen_as_stored(open_raster(data, LIMITS))

    assert plain(packed(drawn(1), "JPEG")) and plain(packed(drawn(1), "PNG"))
    assert not plain(packed(drawn(1), "JPEG", exif=exif()))
    assert not plain(packed(drawn(1, mode="CMYK"), "JPEG"))
    assert not plain(packed(on_clear("white"), "PNG")) and not plain(animated("WEBP"))


def test_text_read_before_pictures_were_seen_so_is_read_again_only_where_it_may_differ(docs, inventory, tmp_path):
    save(docs / "a.png", 1)
    (docs / "b.gif").write_bytes(animated("GIF"))
    save(docs / "c.png", on_clear("white"))
    found = inventory()
    for image_id in found.images["image_id"]:
        store_entry(tmp_path / "ocr", image_id, Entry("reader"))
    assert ocr_pending(found.images, tmp_path / "ocr") == []
    for file in (tmp_path / "ocr").rglob("*.json"):
        file.write_text(file.read_text().replace('"recipe": "2"', '"recipe": "1"'))
    again = {image_row(found, name)["image_id"] for name in ("b.gif", "c.png")}
    assert set(ocr_pending(found.images, tmp_path / "ocr")) == again


def test_damage_of_any_kind_to_any_of_them_is_seen_or_an_image_error():
    rng = random.Random(7)
    pictures = [
        *(packed(drawn(1, (64, 48)), format_) for format_ in ("HEIF", "AVIF")),
        *(animated(format_) for format_ in ("GIF", "PNG", "WEBP", "AVIF")),
        tiff_pages(drawn(1, (64, 48)), drawn(2, (64, 48))),
        packed(drawn(1, (64, 48), "CMYK"), "JPEG"),
    ]
    for whole in pictures:
        for _ in range(60):
            data = bytearray(whole)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
            data = bytes(data[: rng.randrange(4, len(data)) if rng.random() < 0.3 else len(data)])
            for look in (examine, as_seen, lambda *given: list(pages_as_seen(*given, 100))):
                try:
                    look(data, LIMITS)
                except ImageError as error:
                    assert str(error)
