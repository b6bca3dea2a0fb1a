import base64
import zlib
from urllib.parse import quote

import pytest
from pictures import file_row, image_row

from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.svg import parse_svg, svg_size, svg_texts

NS = "xmlns='http://www.w3.org/2000/svg'"


def parsed(text: str):
    return parse_svg(text.encode())


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ("width='120' height='80'", (120, 80)),
        ("width='120px' height='80.4px'", (120, 80)),
        ("width='1in' height='2.54cm'", (96, 96)),
        ("width='25.4mm' height='72pt'", (96, 96)),
        ("width='6pc' height='101.6Q'", (96, 96)),
        ("viewBox='-0.5 -0.5 301 201'", (301, 201)),
        ("viewBox='0,0,30,20' width='100%' height='100%'", (30, 20)),
        ("viewBox='0 0 300 200' width='150'", (150, 100)),
        ("viewBox='0 0 300 200' height='1e2'", (150, 100)),
        ("width='auto'", (None, None)),
        ("width='1e30' height='-4'", (None, None)),
        ("", (None, None)),
    ],
)
def test_size_comes_from_the_attributes_or_the_view_box(attributes, size):
    assert svg_size(parsed(f"<svg {NS} {attributes}/>")) == size


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">',
        '<!ENTITY b SYSTEM "file:///etc/passwd">',
        '<!ENTITY b PUBLIC "x" "http://example.org/x">',
        f'<!ENTITY b "{"x" * 5000}">',
        '<!ENTITY % p SYSTEM "http://example.org/x.dtd">',
    ],
)
def test_entities_that_nest_reach_out_or_are_long_are_refused(declaration):
    with pytest.raises(ImageError, match=r"refused|broken"):
        parsed(f"<!DOCTYPE svg [{declaration}]><svg {NS}><text>&b;</text></svg>")


def test_a_billion_laughs_in_an_attribute_is_refused():
    laughs = '<!ENTITY a0 "lolololololololololol">' + "".join(
        f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 12)
    )
    with pytest.raises(ImageError):
        parsed(f"<!DOCTYPE svg [{laughs}]><svg {NS} id='&a11;'/>")


def test_namespaces_declared_as_entities_by_illustrator_are_fine():
    text = "<!DOCTYPE svg [<!ENTITY ns 'http://www.w3.org/2000/svg'>]><svg xmlns='&ns;' width='9' height='9'/>"
    assert svg_size(parsed(text)) == (9, 9)


def test_no_file_is_read_for_an_external_entity(docs, inventory):
    (docs / "a.svg").write_text('<!DOCTYPE svg [<!ENTITY x SYSTEM "/etc/passwd">]><svg><text>&x;</text></svg>')
    row = file_row(inventory(), "a.svg")
    assert row["status"] == "unreadable" and "root:" not in row["error"]


def test_svg_in_other_encodings_and_after_long_prologs_is_svg(docs, inventory):
    (docs / "a.svg").write_bytes(
        f"<?xml version='1.0' encoding='utf-16'?><svg {NS} width='9' height='8'/>".encode("utf-16")
    )
    (docs / "b.svg").write_text(
        f"\ufeff<?xml version='1.0'?><!-- <html> {'x' * 3000} --><svg {NS} width='9' height='8'/>"
    )
    (docs / "c.svg").write_text("<s:svg xmlns:s='http://www.w3.org/2000/svg' width='9' height='8'/>")
    found = inventory()
    assert [image_row(found, f"{name}.svg")["format"] for name in "abc"] == ["SVG"] * 3
    assert [image_row(found, f"{name}.svg")["width"] for name in "abc"] == [9] * 3


def test_html_named_svg_is_html(docs, inventory):
    (docs / "a.svg").write_text("<!DOCTYPE html><html><svg/></html>")
    assert "HTML" in file_row(inventory(), "a.svg")["error"]


def test_drawn_text_titles_and_labels_are_found_once_in_document_order():
    root = parsed(
        f"<svg {NS} aria-label='Pump station'><title>Overview</title><style>.a{{}}</style><script>x()</script>"
        "<g><text>Hello <tspan>wor</tspan><tspan>ld</tspan></text><desc>A  diagram</desc></g>"
        "<text><tspan x='1' y='2'>First line</tspan><tspan x='1' dy='9'>second line</tspan></text>"
        "<text>Overview</text></svg>"
    )
    assert svg_texts(root) == ["Pump station", "Overview", "Hello world", "A diagram", "First line second line"]


MODEL = (
    "<mxGraphModel><root><mxCell id='0'/><mxCell value='&lt;b&gt;Valve&lt;/b&gt; open'/>"
    "<UserObject label='Tank'/></root></mxGraphModel>"
)


def packed(model: str) -> str:
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(quote(model).encode()) + packer.flush()).decode()


@pytest.mark.parametrize("diagram", [MODEL, packed(MODEL)])
def test_labels_of_a_drawio_export_are_found_packed_or_not(diagram):
    content = (
        f"<mxfile><diagram>{diagram}</diagram></mxfile>".replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace("'", "&apos;")
    )
    root = parsed(f"<svg {NS} content='{content}'><text>Text is not SVG - cannot display</text></svg>")
    assert svg_texts(root) == ["Valve open", "Tank"]


@pytest.mark.parametrize("content", ["<mxfile", "<mxfile><diagram>%%%</diagram></mxfile>", "<mxfile/>", packed("junk")])
def test_a_broken_drawio_source_costs_only_itself(content):
    escaped = content.replace("<", "&lt;")
    assert svg_texts(parsed(f"<svg {NS} content='{escaped}'><text>kept</text></svg>")) == ["kept"]


def test_html_labels_are_text():
    root = parsed(
        f"<svg {NS}><foreignObject><div xmlns='http://www.w3.org/1999/xhtml'>Motor <b>A</b></div></foreignObject></svg>"
    )
    assert svg_texts(root) == ["Motor A"]
