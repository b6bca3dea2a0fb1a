"""What is read in Office files, books, notebooks and mails."""

from io import BytesIO
from zipfile import ZipFile

import pytest
from pptx import Presentation
from small_office import FILES, docx, epub, mail, notebook, pptx, saved, xlsx, zipped
from small_pdfs import jpeg

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.docx import IN_HEADER
from kg_pipeline.documents.containers.pptx import ON_MASTER
from kg_pipeline.documents.errors import DocumentError, SkippedDocumentError, UnreadableDocumentError
from kg_pipeline.documents.formats import CONTAINERS
from kg_pipeline.documents.opening import CONTAINER_ERRORS
from kg_pipeline.documents.passages import cut_passages

LIMITS = Limits()


def parsed(suffix: str, data: bytes):
    return CONTAINERS[suffix].read(data, LIMITS)


def references(document):
    return [(document.prose[r.line - 1], r.target, r.alt, r.caption) for r in document.references]


def test_word():
    document = parsed(".docx", docx())
    assert [heading.text for heading in document.headings] == ["Pump Manual", "Replacing the valve"]
    text = [line for line in document.prose if line]
    assert text[2:] == ["Turn the valve to the left until it clicks.", "Part | Number", "Valve | 4711", "Once more:"]
    valve, logo = document.pictures
    assert (valve.data, valve.decorative) == (jpeg(1), None)
    assert (logo.data, logo.decorative) == (jpeg(9), IN_HEADER)
    assert references(document)[:2] == [
        ("", valve.name, "The valve, seen from above", "Figure 1: The valve"),
        ("", valve.name, None, None),
    ]
    assert document.references[0].line == 4


def test_powerpoint():
    document = parsed(".pptx", pptx())
    passages = cut_passages(document, "deck")
    assert [(passage.page, passage.text) for passage in passages] == [
        (1, "Replacing the valve\nSay that it clicks."),
        (2, "Parts\nValve | 4711"),
    ]
    by_name = {picture.name: picture for picture in document.pictures}
    assert by_name["p1-1.jpg"].data == jpeg(1)
    assert by_name["slideMaster1-1.jpg"].decorative == ON_MASTER
    valve = next(reference for reference in document.references if reference.target == "p1-1.jpg")
    assert valve.alt == "The valve, seen from above"
    assert passages[0].line_start <= valve.line <= passages[0].line_end


def test_a_logo_on_the_master_of_the_notes_is_decorative():
    deck = Presentation(BytesIO(pptx()))
    master = deck.slides[0].notes_slide.part.notes_master.part
    _, relationship = master.get_or_add_image_part(BytesIO(jpeg(8)))
    logo = deck.slides[1].shapes.add_picture(BytesIO(jpeg(8)), 0, 0)._element
    logo.getparent().remove(logo)
    logo.blipFill.blip.set(logo.blipFill.blip.attrib.keys()[0], relationship)
    master.notes_master.shapes._spTree.append(logo)
    pictures = {picture.name: picture for picture in parsed(".pptx", saved(deck)).pictures}
    assert (pictures["notesMaster1-1.jpg"].data, pictures["notesMaster1-1.jpg"].decorative) == (jpeg(8), ON_MASTER)


def test_excel():
    document = parsed(".xlsx", xlsx())
    assert document.prose == ("Parts", "Part | Number", "Valve | 4711", "Lid | 12", "Prices", "Valve | 9.5")
    assert document.pages == (1, 5)
    (picture,) = document.pictures
    assert references(document) == [("Valve | 4711", picture.name, "Picture", None)]


def test_epub():
    document = parsed(".epub", epub())
    assert document.title == "Pump Manual"
    assert [heading.text for heading in document.headings] == ["Valve", "Lid"]
    assert [picture.name for picture in document.pictures] == ["img/valve.jpg"]
    assert [(r.kind, r.target) for r in document.references] == [
        ("embedded", "img/valve.jpg"),
        ("html_img", "img/lost.png"),
    ]


def test_notebook():
    document = parsed(".ipynb", notebook())
    assert [(picture.name, picture.data) for picture in document.pictures] == [
        ("cell1-lid.jpg", jpeg(2)),
        ("cell2-2.jpg", jpeg(1)),
    ]
    assert "4711 points" in document.prose
    assert references(document)[0][1:3] == ("cell1-lid.jpg", "lid")


def test_mail():
    document = parsed(".eml", mail())
    assert document.prose[:3] == ("The valve is stuck", "From: a@example.org", "To: b@example.org")
    assert [(picture.name, picture.data) for picture in document.pictures] == [
        ("valve.jpg", jpeg(1)),
        ("lid.jpg", jpeg(2)),
    ]
    assert "See the HTML." not in document.prose


BOMB = "<!DOCTYPE a [<!ENTITY a 'xxxxxxxxxx'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9)
)


def replaced(data: bytes, part: str, change) -> bytes:
    with ZipFile(BytesIO(data)) as package:
        return zipped(
            {name: change(package.read(name)) if name == part else package.read(name) for name in package.namelist()}
        )


PARTS = {
    ".docx": "word/document.xml",
    ".pptx": "ppt/slides/slide1.xml",
    ".xlsx": "xl/worksheets/sheet1.xml",
    ".epub": "OEBPS/book.opf",
}


@pytest.mark.parametrize("suffix", PARTS)
def test_entities_of_xml_are_not_expanded(suffix, tmp_path):
    (tmp_path / "secret.txt").write_text("SECRET")

    def bomb(xml: bytes) -> bytes:
        body = xml.partition(b"?>")[2] if xml.startswith(b"<?xml") else xml
        head = f"{BOMB}<!ENTITY file SYSTEM '{(tmp_path / 'secret.txt').as_uri()}'>]>"
        return head.replace("<!DOCTYPE a", "<!DOCTYPE x").encode() + body.replace(b"Valve", b"&j;&file;").replace(
            b"Replacing", b"&j;&file;"
        )

    try:
        document = parsed(suffix, replaced(FILES[suffix](), PARTS[suffix], bomb))
    except (DocumentError, *CONTAINER_ERRORS) as error:
        assert "SECRET" not in str(error)
        return
    assert "SECRET" not in "\n".join(document.prose)
    assert sum(map(len, document.prose)) < 10_000


@pytest.mark.parametrize("suffix", PARTS)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(suffix):
    with pytest.raises(SkippedDocumentError, match="archive_ratio"):
        parsed(suffix, replaced(FILES[suffix](), PARTS[suffix], lambda xml: xml + b" " * 50_000_000))
    with pytest.raises(SkippedDocumentError, match="archive_members"):
        CONTAINERS[suffix].read(FILES[suffix](), Limits(archive_members=2))


@pytest.mark.parametrize("suffix", PARTS)
def test_an_encrypted_file_says_so(suffix):
    with pytest.raises(UnreadableDocumentError, match="encrypted"):
        parsed(suffix, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500)


def test_a_picture_that_word_only_links_to_is_not_looked_for():
    def link(xml: bytes) -> bytes:
        return xml.replace(b"r:embed=", b"r:link=")

    document = parsed(".docx", replaced(docx(), "word/document.xml", link))
    assert [picture.decorative for picture in document.pictures] == [IN_HEADER]
