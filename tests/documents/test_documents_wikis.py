"""What is read in exports of wikis."""

import pytest
from small_office import confluence_entities, confluence_pages, wiki_dump, zipped
from small_pdfs import jpeg

from kg_pipeline.config import Limits
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.formats import format_of
from kg_pipeline.documents.passages import cut_passages

DUMP, SPACE = "handbook.mediawiki.xml", "pumps.confluence.zip"


def parsed(name: str, data: bytes):
    return format_of(name).read(data, Limits())


def text_of(document) -> str:
    return "\n".join(line for line in document.prose if line)


def shown(document):
    return [(each.kind, each.target, each.alt, each.caption) for each in document.references]


def test_a_dump_of_mediawiki_is_a_page_per_article_with_its_newest_text():
    document = parsed(DUMP, wiki_dump())
    assert document.title == "Pump Wiki"
    assert text_of(document).splitlines() == [
        "Valve", "Replacing", "Turn it.", "Lid", "Close the lid.", "File:Valve ", "Seen from above.",
    ]  # fmt: skip
    assert [passage.page for passage in cut_passages(document, "x")] == [1, 2, 3]
    assert [(heading.level, heading.text) for heading in document.headings][:2] == [(1, "Valve"), (2, "Replacing")]


def test_a_file_in_the_dump_is_shown_where_pages_name_it_in_whatever_spelling():
    document = parsed(DUMP, wiki_dump())
    assert [(picture.name, picture.data) for picture in document.pictures] == [("Valve_photo.jpg", jpeg(1))]
    assert shown(document) == [
        ("embedded", "Valve_photo.jpg", None, "The valve"),
        ("wiki_image", "Lost.png", None, "Not exported"),
        ("embedded", "Valve_photo.jpg", None, None),
    ]


def test_the_html_export_of_confluence_is_read_in_the_order_of_its_index_without_chrome():
    document = parsed(SPACE, confluence_pages())
    assert document.title == "Pumps"
    assert text_of(document).splitlines() == ["Valve", "Turn.", "Lid", "Close the lid."]
    assert len(document.pages) == 2


def test_attachments_have_the_names_that_people_gave_them_and_unused_ones_are_kept():
    for data in (confluence_pages(), confluence_entities()):
        document = parsed(SPACE, data)
        pictures = [(picture.name, picture.data) for picture in document.pictures]
        assert pictures == [("valve.jpg", jpeg(1)), ("spare.jpg", jpeg(3))]
        [(kind, target, alt, _)] = shown(document)
        assert (kind, target, alt) == ("embedded", "valve.jpg", "Seen from above")


def test_the_xml_export_of_confluence_is_read_as_the_tree_of_its_pages():
    document = parsed(SPACE, confluence_entities())
    assert document.title == "Pumps"
    lines = text_of(document).splitlines()
    assert lines[:5] == ["Pumps & parts", "Parts", "All of them.", "Valve", "Turn it."]
    assert any("open --valve <1>" in line for line in lines)
    assert "Old text." not in lines
    assert document.references[0].caption == "The valve"


@pytest.mark.parametrize("page", ["", "   ", "<!-- nothing -->"])
def test_an_empty_page_is_a_page_without_text(page):
    document = parsed(SPACE, zipped({"x/index.html": page, "x/Valve_7.html": page, "x/Lid_5.html": "<p>Close it.</p>"}))
    assert text_of(document) == "Close it."
    assert len(document.pages) == 2


BOMB = '<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        (DUMP, BOMB.encode() + b"<mediawiki><page><title>&b;</title></page></mediawiki>", "document type"),
        (DUMP, b"<project><page/></project>", "no export of MediaWiki"),
        (SPACE, zipped({"entities.xml": f"{BOMB}<hibernate-generic>&b;</hibernate-generic>"}), "document type"),
        (SPACE, zipped({"readme.txt": "hello"}), "no export of Confluence"),
    ],
)
def test_what_is_no_export_or_declares_entities_is_refused(name, data, why):
    with pytest.raises(UnreadableDocumentError, match=why):
        parsed(name, data)


@pytest.mark.parametrize("name", ["pom.xml", "photos.zip", "mediawiki.xml", "export.xml"])
def test_other_xml_and_zip_files_are_no_documents(name):
    assert format_of(name) is None
