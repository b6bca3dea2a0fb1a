"""Office files, books, notebooks and mails of a page or two, made by the libraries that read them or by hand."""

import base64
import json
from email.message import EmailMessage
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from small_pdfs import jpeg, manual


def docx() -> bytes:
    """A heading, a captioned picture with an alt text, a table, the same picture again, a logo in the header."""
    from docx import Document

    document = Document()
    document.core_properties.title = "Not this one"
    document.add_heading("Pump Manual", 0)
    document.add_heading("Replacing the valve", 1)
    document.add_paragraph("Turn the valve to the left until it clicks.")
    document.add_picture(BytesIO(jpeg(1)))
    document.element.body.xpath(".//wp:docPr")[0].set("descr", "The valve, seen from above")
    document.add_paragraph("Figure 1: The valve", style="Caption")
    table = document.add_table(2, 2)
    cells = [cell for row in table.rows for cell in row.cells]
    for cell, text in zip(cells, ("Part", "Number", "Valve", "4711"), strict=True):
        cell.text = text
    document.add_paragraph("Once more:")
    document.add_picture(BytesIO(jpeg(1)))
    header = document.sections[0].header
    header.paragraphs[0].add_run().add_picture(BytesIO(jpeg(9)))
    return saved(document)


def pptx() -> bytes:
    """Two slides: a picture in a group with notes; a table. A logo on the master."""
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Replacing the valve"
    group = slide.shapes.add_group_shape()
    picture = slide.shapes.add_picture(BytesIO(jpeg(1)), Inches(1), Inches(2))
    picture._element.nvPicPr.cNvPr.set("descr", "The valve, seen from above")
    group._element.append(picture._element)
    slide.notes_slide.notes_text_frame.text = "Say that it clicks."
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Parts"
    table = second.shapes.add_table(1, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "Valve", "4711"
    master = deck.slide_masters[0]
    _, relationship = master.part.get_or_add_image_part(BytesIO(jpeg(9)))
    on_second = second.shapes.add_picture(BytesIO(jpeg(9)), 0, 0)._element
    on_second.getparent().remove(on_second)
    on_second.blipFill.blip.set(on_second.blipFill.blip.attrib.keys()[0], relationship)
    master.shapes._spTree.append(on_second)
    return saved(deck)


def xlsx() -> bytes:
    """A sheet of three rows with a picture at the second, and a sheet without."""
    from openpyxl import Workbook
    from openpyxl.drawing.image import Image

    book = Workbook()
    sheet = book.active
    sheet.title = "Parts"
    for row in (("Part", "Number"), ("Valve", 4711), ("Lid", 12)):
        sheet.append(row)
    sheet.add_image(Image(BytesIO(jpeg(1))), "D2")
    book.create_sheet("Prices").append(("Valve", 9.5))
    return saved(book)


def epub() -> bytes:
    """Two pages with a picture each; one of them is not in the book."""
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>Pump Manual</dc:title></metadata><manifest>"
        '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    one = "<html><body><h1>Valve</h1><p>Turn it.</p><img src='../img/valve.jpg' alt='The valve'/></body></html>"
    two = "<html><body><h1>Lid</h1><p>Close it.</p><img src='img/lost.png'/></body></html>"
    return zipped(
        {
            "META-INF/container.xml": container,
            "OEBPS/book.opf": package,
            "OEBPS/text/one.xhtml": one,
            "OEBPS/two.xhtml": two,
            "OEBPS/img/valve.jpg": jpeg(1),
        }
    )


def notebook() -> bytes:
    """A Markdown cell with an attachment, and code with a picture as output."""
    picture = base64.b64encode(jpeg(1)).decode()
    attached = base64.b64encode(jpeg(2)).decode()
    cells = [
        {
            "cell_type": "markdown",
            "source": ["# Pressure\n", "\n", "As measured: ![lid](attachment:lid.jpg)"],
            "attachments": {"lid.jpg": {"image/jpeg": attached}},
        },
        {
            "cell_type": "code",
            "source": "plot(pressure)",
            "outputs": [
                {"output_type": "stream", "text": ["4711 points\n"]},
                {"output_type": "display_data", "data": {"text/plain": ["<Figure>"], "image/jpeg": picture}},
            ],
        },
    ]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()


def mail() -> bytes:
    """HTML with an inline picture, and another attached."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "The valve is stuck", "a@example.org", "b@example.org"
    message.set_content("See the HTML.")
    message.add_alternative("<p>It looks so:</p><img src='cid:valve'><p>What now?</p>", subtype="html")
    html = message.get_payload()[1]
    html.add_related(jpeg(1), "image", "jpeg", cid="<valve>", filename="valve.jpg")
    message.add_attachment(jpeg(2), "image", "jpeg", filename="lid.jpg")
    return message.as_bytes()


def wiki_dump() -> bytes:
    """Two articles, an older text of one, a talk page, a redirect, and the page of a file that lies in the export."""
    picture = base64.b64encode(jpeg(1)).decode()
    pages = (
        _wiki_page("Valve", 0, "Old text.", "== Replacing ==\nTurn it.\n[[File:valve photo.jpg|thumb|The valve]]")
        + _wiki_page("Lid", 0, "Close the lid.\n[[File:Lost.png|thumb|Not exported]]")
        + _wiki_page("Talk:Lid", 1, "Gossip.")
        + '<page><title>Cover</title><ns>0</ns><redirect title="Lid"/><revision><text>See</text></revision></page>'
        + "<page><title>File:Valve photo.jpg</title><ns>6</ns><revision><text>Seen from above.</text></revision>"
        + f"<upload><filename>Valve_photo.jpg</filename><contents>{picture}</contents></upload></page>"
    )
    space = "http://www.mediawiki.org/xml/export-0.11/"
    name = "<siteinfo><sitename>Pump Wiki</sitename></siteinfo>"
    return f'<mediawiki xmlns="{space}">{name}{pages}</mediawiki>'.encode()


def _wiki_page(title: str, namespace: int, *texts: str) -> str:
    revisions = "".join(
        f"<revision><timestamp>202{year}-01-01T00:00:00Z</timestamp><model>wikitext</model><text>{text}</text></revision>"
        for year, text in enumerate(texts)
    )
    return f"<page><title>{title}</title><ns>{namespace}</ns>{revisions}</page>"


def confluence_pages() -> bytes:
    """The HTML export: an index, two pages with chrome, a picture under a number, an attachment nobody shows."""
    chrome = "<div id='breadcrumb-section'>Dashboard</div><h1><span id='title-text'>Pumps : {}</span></h1>"
    shown = (
        "<img src='attachments/thumbnails/7/8.jpg' data-image-src='attachments/7/8.jpg?version=1' alt='Seen from above'"
        " data-linked-resource-default-alias='valve.jpg'/>"
    )
    attached = "<div class='greybox'><a href='attachments/7/9.jpg'>spare.jpg</a></div>"
    return zipped(
        {
            "PUMP/index.html": "<title>Pumps</title><a href='Valve_7.html'>Valve</a><a href='Lid_5.html'>Lid</a>",
            "PUMP/Lid_5.html": f"{chrome.format('Lid')}<div id='main-content'><p>Close the lid.</p></div>Created by me",
            "PUMP/Valve_7.html": f"{chrome.format('Valve')}<div id='main-content'><p>Turn.</p>{shown}</div>{attached}",
            "PUMP/attachments/7/8.jpg": jpeg(1),
            "PUMP/attachments/thumbnails/7/8.jpg": jpeg(2),
            "PUMP/attachments/7/9.jpg": jpeg(3),
        }
    )


def confluence_entities() -> bytes:
    """The XML export: a page below another, an earlier version, code, a captioned picture, an unused attachment."""
    image = (
        '<ac:image ac:alt="Seen from above"><ri:attachment ri:filename="valve.jpg"/>'
        "<ac:caption><p>The valve</p></ac:caption></ac:image>"
    )
    code = (
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">sh</ac:parameter>'
        "<ac:plain-text-body><![CDATA[open --valve <1>]]]]><![CDATA[></ac:plain-text-body></ac:structured-macro>"
    )
    objects = [
        _entity("Space", "1", name="Pumps"),
        _entity("Page", "7", title="Valve", links={"parent": "5"}),
        _entity("Page", "5", title="Pumps &amp; parts"),
        _entity("Page", "6", title="Valve", links={"originalVersion": "7"}),
        _entity("BodyContent", "70", body=f"<p>Turn it.</p>{image}{code}", links={"content": "7"}),
        _entity("BodyContent", "50", body="<h2>Parts</h2><p>All of them.</p>", links={"content": "5"}),
        _entity("BodyContent", "60", body="<p>Old text.</p>", links={"content": "6"}),
        _entity("Attachment", "8", title="valve.jpg", version="2", links={"containerContent": "7"}),
        _entity("Attachment", "9", title="spare.jpg", version="1", links={"containerContent": "7"}),
    ]
    xml = f"<hibernate-generic>{''.join(objects)}</hibernate-generic>"
    files = {"attachments/7/8/1": jpeg(2), "attachments/7/8/2": jpeg(1), "attachments/7/9/1": jpeg(3)}
    return zipped({"entities.xml": xml, **files})


def _entity(kind: str, number: str, links: dict[str, str] | None = None, **texts: str) -> str:
    properties = [
        f'<property name="{name}"><![CDATA[{text}]]></property>' for name, text in texts.items() if name == "body"
    ]
    properties += [f'<property name="{name}">{text}</property>' for name, text in texts.items() if name != "body"]
    properties += [
        f'<property name="{name}" class="Page"><id name="id">{target}</id></property>'
        for name, target in (links or {}).items()
    ]
    return f'<object class="{kind}"><id name="id">{number}</id>{"".join(properties)}</object>'


def zipped(parts: dict[str, str | bytes]) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return buffer.getvalue()


def saved(document) -> bytes:
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


FILES = {
    ".pdf": manual,
    ".docx": docx,
    ".pptx": pptx,
    ".xlsx": xlsx,
    ".epub": epub,
    ".ipynb": notebook,
    ".eml": mail,
    ".mediawiki.xml": wiki_dump,
    ".confluence.zip": confluence_pages,
    ".entities.confluence.zip": confluence_entities,
}
"""A good file of every format with pictures inside, by the end of its name."""
