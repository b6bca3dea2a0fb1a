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


FILES = {".pdf": manual, ".docx": docx, ".pptx": pptx, ".xlsx": xlsx, ".epub": epub, ".ipynb": notebook, ".eml": mail}
"""A good file of every format with pictures inside."""
