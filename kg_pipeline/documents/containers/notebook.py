"""Jupyter notebooks: Markdown cells, code, text outputs; pictures of outputs and those attached to cells."""

import base64
import binascii
import json
from typing import Any

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.markdown import parse_markdown
from kg_pipeline.documents.parsed import ParsedDocument

PICTURES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "png": ".png",
    "jpeg": ".jpg",
    "svg": ".svg",
}
"""Of several forms of one output the first is taken; the short names are those of version 3."""


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Format: https://nbformat.readthedocs.io. Raises UnreadableDocumentError."""
    try:
        notebook = json.loads(data)
    except ValueError as error:
        raise UnreadableDocumentError(f"not JSON: {error}") from error
    if not isinstance(notebook, dict) or not {"cells", "worksheets"} & set(notebook):
        raise UnreadableDocumentError("no notebook: JSON without cells")
    sheets = [notebook, *_list(notebook, "worksheets")]
    cells = [cell for sheet in sheets for cell in _list(sheet, "cells")]
    composer = Composer()
    for number, cell in enumerate(cells, start=1):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        source = _text(cell.get("source", cell.get("input"))) if kind else ""
        if kind == "markdown":
            _markdown(composer, cell, number, source)
        elif kind == "heading":
            composer.heading(int(cell.get("level", 1)), source)
        elif kind == "code":
            composer.code(source)
            for index, output in enumerate(_list(cell, "outputs"), start=1):
                _output(composer, output, f"cell{number}-{index}")
        elif kind:
            composer.paragraph(source)
    return composer.document()


def _markdown(composer: Composer, cell: dict[str, Any], number: int, source: str) -> None:
    attached = cell.get("attachments") or {}
    document = parse_markdown(source)
    before = composer.text_of(document)
    for reference in document.references:
        name = reference.target.removeprefix("attachment:")
        bundle = attached.get(name) if name != reference.target else None
        forms = [(kind, _text(content)) for kind, content in (bundle or {}).items() if kind in PICTURES]
        data = next((_decoded(kind, content) for kind, content in forms), None)
        if data:
            composer.embed(reference, before, f"cell{number}-{name}", data)
        else:
            composer.keep(reference, before)


def _output(composer: Composer, output: Any, name: str) -> None:
    if not isinstance(output, dict):
        return
    data = output.get("data")
    bundle = data if isinstance(data, dict) else output
    for kind, suffix in PICTURES.items():
        if kind in bundle and (picture := _decoded(kind, _text(bundle[kind]))):
            composer.picture(name + suffix, picture)
            return
    text = _text(output.get("text") or bundle.get("text/plain"))
    if text.strip():
        composer.code(text)


def _decoded(kind: str, text: str) -> bytes | None:
    if "svg" in kind:
        return text.encode()
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return None  # a picture that no notebook program shows either


def _text(value: object) -> str:
    """Multi-line strings are stored as a string or as a list of them."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _list(container: object, key: str) -> list[Any]:
    value = container.get(key) if isinstance(container, dict) else None
    return value if isinstance(value, list) else []
