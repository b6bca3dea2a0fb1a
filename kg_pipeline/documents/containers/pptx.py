"""PowerPoint: a page per slide with title, texts, tables, diagrams, notes; pictures with alt texts, also in groups."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from pptx import Presentation
from pptx.exc import PackageNotFoundError
from pptx.opc.constants import RELATIONSHIP_TYPE

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.containers.packages import open_package, parse_xml
from kg_pipeline.documents.errors import SkippedDocumentError, UnreadableDocumentError
from kg_pipeline.documents.parsed import Cut, ParsedDocument

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
WRITTEN = {f"{A}br": "\n", f"{A}tab": "\t"}
ON_MASTER = "on a slide master or layout"
_TITLES = frozenset(["title", "ctrTitle"])
_FURNITURE = frozenset(["sldNum", "dt", "ftr"])


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises DocumentError, and what python-pptx and lxml raise."""
    open_package(data, limits).close()
    try:
        presentation = Presentation(BytesIO(data))
    except (PackageNotFoundError, KeyError) as error:
        raise UnreadableDocumentError(f"no presentation in the zip file: {error}") from error
    slides = list(presentation.slides)
    if len(slides) > limits.document_pages:
        raise SkippedDocumentError(f"{len(slides)} slides, more than {limits.document_pages} (limits.document_pages)")
    composer = Composer()
    for number, slide in enumerate(slides, start=1):
        composer.page()
        _slide(composer, number, slide)
    layouts = [layout.part for master in presentation.slide_masters for layout in (master, *master.slide_layouts)]
    for part in (*layouts, *_notes_master(presentation)):
        stem = PurePosixPath(str(part.partname)).stem
        for index, (suffix, blob, alt) in enumerate(_pictures(part._element, part), start=1):
            composer.picture(f"{stem}-{index}{suffix}", blob, alt, ON_MASTER, line=1)
    return composer.document(page_title=presentation.core_properties.title)


def _notes_master(presentation: Any) -> list[Any]:
    """Its part, where there is one; asking python-pptx for the master itself would make one."""
    try:
        return [presentation.part.part_related_by(RELATIONSHIP_TYPE.NOTES_MASTER)]
    except KeyError:
        return []


def _slide(composer: Composer, number: int, slide: Any) -> None:
    shapes = [shape for shape in slide.element.iter(f"{P}sp", f"{P}graphicFrame") if not _in_fallback(shape)]
    for shape in sorted(shapes, key=lambda shape: _placeholder(shape) not in _TITLES):
        kind = _placeholder(shape)
        if kind in _TITLES:
            composer.heading(1, " ".join(_paragraphs(shape)))
        elif kind not in _FURNITURE:
            _text(composer, shape, slide.part)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        composer.paragraph(slide.notes_slide.notes_text_frame.text.replace("\v", "\n"))
    # After the texts, so that a picture at the top of a slide does not hang on the slide before.
    found = list(_pictures(slide.element, slide.part))
    if slide.has_notes_slide:
        found += _pictures(slide.notes_slide.element, slide.notes_slide.part)
    line = None
    for index, (suffix, data, alt) in enumerate(found, start=1):
        composer.picture(f"p{number}-{index}{suffix}", data, alt, line=line)
        line = composer.line


def _text(composer: Composer, shape: Any, part: Any) -> None:
    table = next(shape.iter(f"{A}tbl"), None)
    if table is not None:
        for number, row in enumerate(table.iter(f"{A}tr")):
            composer.row([" ".join(_paragraphs(cell)) for cell in row.iter(f"{A}tc")], is_first=number == 0)
        return
    for linked, name in ((DIAGRAM, "dm"), (f"{C}chart", "id")):
        for reference in shape.iter(linked):
            relationship = part.rels.get(reference.get(f"{R}{name}") or "")
            if relationship is not None and not relationship.is_external:
                _linked_text(composer, relationship.target_part.blob)
    for number, text in enumerate(_paragraphs(shape)):
        composer.paragraph(text, Cut.LIST_ITEM if number else Cut.PARAGRAPH)


def _linked_text(composer: Composer, data: bytes) -> None:
    """The texts of a SmartArt diagram or the title, names and categories of a chart."""
    root = parse_xml(data)
    for text in _paragraphs(root):
        composer.paragraph(text, Cut.LIST_ITEM)
    words = dict.fromkeys(value.text or "" for cache in root.iter(f"{C}strCache") for value in cache.iter(f"{C}v"))
    composer.row(list(words))


def _paragraphs(element: Any) -> Iterator[str]:
    for paragraph in element.iter(f"{A}p"):
        if not _in_fallback(paragraph):
            pieces = paragraph.iter(f"{A}t", *WRITTEN)
            text = "".join(WRITTEN.get(piece.tag) or piece.text or "" for piece in pieces)
            if text.strip():
                yield text


def _placeholder(shape: Any) -> str | None:
    found = next(shape.iter(f"{P}ph"), None)
    return found.get("type") if found is not None else None


def _pictures(element: Any, part: Any) -> Iterator[tuple[str, bytes, str | None]]:
    """Suffix, bytes and alt text of pictures and fills, groups included."""
    for blip in element.iter(f"{A}blip"):
        # r:link leads out of the file and is never followed.
        relationship = part.rels.get(blip.get(f"{R}embed") or "")
        if relationship is None or relationship.is_external or _is_twin(blip):
            continue
        target = relationship.target_part
        yield PurePosixPath(str(target.partname)).suffix.lower(), target.blob, _alt(blip)


def _alt(blip: Any) -> str | None:
    written: str | None = None
    for shape in blip.iterancestors(f"{P}pic", f"{P}sp"):
        described = next(shape.iter(f"{P}cNvPr"), None)
        if described is not None and written is None:
            written = described.get("descr") or described.get("title")
    return written


def _in_fallback(element: Any) -> bool:
    return next(element.iterancestors(FALLBACK), None) is not None


def _is_twin(blip: Any) -> bool:
    """Whether a picture is there for old programs and stands once more, or as something better, in its alternative."""
    fallback = next(blip.iterancestors(FALLBACK), None)
    return fallback is not None and any(
        next(choice.iter(f"{A}blip"), None) is not None for choice in fallback.itersiblings(preceding=True)
    )
