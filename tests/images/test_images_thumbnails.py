import io
from base64 import b64decode

import pytest
from pictures import drawn, save
from PIL import Image

from kg_pipeline.config import Limits
from kg_pipeline.images import thumbnail

NS = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"


def opened(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(b64decode(data)))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_becomes_a_small_one_of_the_same_shape(docs, format_):
    path = save(docs / "a", drawn(1, (400, 300)), format=format_)
    assert opened(thumbnail(path.as_uri(), Limits(), 100)).size == (100, 75)


def test_small_pictures_are_not_enlarged_and_stand_on_a_ground(docs):
    path = save(docs / "a.png", Image.new("RGBA", (20, 10)))
    small = opened(thumbnail(path.as_uri(), Limits(), 100))
    assert small.size == (20, 10) and small.mode == "RGB" and small.getpixel((5, 5)) == (255, 255, 255)


def test_a_photograph_is_shown_upright_and_without_its_exif(docs):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret place"
    path = save(docs / "a.jpg", drawn(1, (400, 200)), exif=exif)
    small = opened(thumbnail(path.as_uri(), Limits(), 100))
    assert small.size == (50, 100) and not small.getexif()


def test_what_cannot_be_shown_has_no_thumbnail(docs):
    (docs / "a.png").write_bytes(b"<html>")
    assert thumbnail((docs / "a.png").as_uri(), Limits(), 100) is None
    assert thumbnail((docs / "none.png").as_uri(), Limits(), 100) is None
    assert thumbnail("data:nothing", Limits(), 100) is None


def test_a_small_passive_svg_is_given_as_it_is(docs):
    inside = "<use xlink:href='#a' fill='url(#b)'/><image href='data:image/png;base64,AA'/>"
    text = f"<svg {NS}><defs><path id='a'/></defs>{inside}</svg>"
    (docs / "a.svg").write_text(text)
    uri = thumbnail((docs / "a.svg").as_uri(), Limits(), 100)
    assert uri.startswith("data:image/svg+xml;base64,")
    assert b64decode(uri.partition(",")[2]).decode() == text


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<g onclick='x()'/>",
        "<image href='http://example.org/a.png'/>",
        "<image xlink:href='//example.org/a.png'/>",
        "<use href='other.svg#a'/>",
        "<a href='javascript:x()'><text>x</text></a>",
        "<a href=' java&#10;script:x()'/>",
        "<image href='data:image/svg+xml;base64,AA'/>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>",
        "<style>@import 'http://example.org/a.css';</style>",
        '<style>rect { fill: url( "http://example.org/a") }</style>',
        "<rect fill='url(http://example.org/#a)'/>",
        "<rect style='fill: u\\72l(//example.org/#a)'/>",
        "<set attributeName='xlink:href' to='javascript:x()'/>",
        "<?xml-stylesheet href='http://example.org/a.css'?>",
        "<text>" + "x" * 70_000 + "</text>",
    ],
)
def test_an_svg_that_runs_loads_or_is_large_has_no_thumbnail(docs, inside):
    (docs / "a.svg").write_text(f"<svg {NS}>{inside}</svg>")
    assert thumbnail((docs / "a.svg").as_uri(), Limits(), 100) is None


def test_an_svg_with_a_stylesheet_instruction_or_a_doctype_has_no_thumbnail(docs):
    for head in ("<?xml-stylesheet href='http://example.org/a.css'?>", "<!DOCTYPE svg SYSTEM 'http://example.org/a'>"):
        (docs / "a.svg").write_text(f"{head}<svg {NS}/>")
        assert thumbnail((docs / "a.svg").as_uri(), Limits(), 100) is None
