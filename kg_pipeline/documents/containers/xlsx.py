"""Excel: a page per sheet, a line per row as it was last computed; pictures at the row they are anchored to."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any
from zipfile import ZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.containers.packages import open_package, parse_xml, relationships
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.parsed import ParsedDocument

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
XDR = "{http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing}"


@dataclass(frozen=True)
class _Anchored:
    row: int
    suffix: str
    data: bytes
    alt: str | None


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises DocumentError, and what openpyxl and lxml raise."""
    with open_package(data, limits) as package:
        try:
            # Read only: a sheet of a million rows is streamed. Formulas are not computed, external links not followed.
            workbook = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        except (InvalidFileException, KeyError) as error:
            raise UnreadableDocumentError(f"no workbook in the zip file: {error}") from error
        composer = Composer()
        for number, sheet in enumerate(workbook.worksheets, start=1):
            composer.page()
            composer.heading(1, sheet.title)
            lines = _rows(composer, sheet)
            part = str(getattr(sheet, "_worksheet_path", "")).lstrip("/")
            for index, picture in enumerate(_pictures(package, part), start=1):
                line = lines[min(picture.row, len(lines) - 1)] if lines else composer.line
                composer.picture(f"p{number}-{index}{picture.suffix}", picture.data, picture.alt, line=line)
        title = workbook.properties.title
        workbook.close()
    return composer.document(page_title=title)


def _rows(composer: Composer, sheet: Any) -> list[int]:
    """Write the rows; per row of the sheet, the line of the last one that has text."""
    lines: list[int] = []
    # What the file says of its own size may be wrong, or a million empty columns.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True):
        composer.row(["" if value is None else str(value) for value in row], is_first=not lines)
        lines.append(composer.line)
    return lines


def _pictures(package: ZipFile, sheet: str) -> Iterator[_Anchored]:
    parts = set(package.namelist())
    for drawing in relationships(package, sheet).values():
        if "/drawings/" not in f"/{drawing}" or drawing not in parts or not drawing.endswith(".xml"):
            continue
        media = relationships(package, drawing)
        for anchor in parse_xml(package.read(drawing)):
            row = anchor.findtext(f"{XDR}from/{XDR}row") or "0"
            for blip in anchor.iter(f"{A}blip"):
                target = media.get(str(blip.get(f"{R}embed")))
                if target in parts and target:
                    described = next(anchor.iter(f"{XDR}cNvPr"), None)
                    alt = described.get("descr") if described is not None else None
                    suffix = PurePosixPath(target).suffix.lower()
                    yield _Anchored(int(row) if row.isdigit() else 0, suffix, package.read(target), alt)
