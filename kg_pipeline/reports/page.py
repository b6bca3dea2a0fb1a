"""A page that stands alone: template, style and script in one file that loads nothing."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from kg_pipeline.documents.formats import ContainerFormat, format_of
from kg_pipeline.storage.atomic import replacing

HERE = Path(__file__).parent
_ON_PAGE = re.compile(r"(.+)/p(\d+)-\d+\.\w+")
INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)


class ReportError(Exception):
    """A report could not be written."""


def write_page(path: Path, html: bytes) -> Path:
    """Put the page in place in one step. Raises ReportError."""
    try:
        with replacing(path) as beside:
            beside.write_bytes(html)
    except OSError as error:
        raise ReportError(
            f"cannot write the page {path}: {error.strerror or error}; check free space and rights of {path.parent}"
        ) from error
    return path


def render(
    template: str,
    styles: tuple[str, ...],
    script: str | None,
    *,
    folder: Path = HERE,
    pictures_from: str = "data:",
    **content: Any,
) -> bytes:
    """The page of a template of `folder`, else of this one; it finds `policy`, `style` and `script` beside `content`.

    `pictures_from`: sources of pictures, as a content security policy names them; by default the page itself.
    """
    style = "".join(_text(name, folder) for name in styles)
    code = _text(script, folder) if script else ""
    page = environment(folder).get_template(template)
    return page.render(
        policy=_policy(style, code, pictures_from), style=Markup(style), script=Markup(code), **content
    ).encode()


def environment(folder: Path = HERE) -> Environment:
    """Templates of `folder` and this one; everything is escaped, a name that is not given is an error."""
    # Without its indentation a page of 500 pictures is half a megabyte smaller.
    loader = FunctionLoader(lambda name: INDENTATION.sub("", _text(name, folder)))
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    templates.filters["breakable"] = _breakable
    templates.filters["titled"] = title_of
    return templates


def _text(name: str, folder: Path) -> str:
    path = folder / name
    return (path if path.exists() else HERE / name).read_text(encoding="utf-8")


def title_of(path: str) -> str:
    """What a person calls a picture: `manual.pdf, page 3` for `manual.pdf/p3-1.png`, else its path."""
    inside = _ON_PAGE.fullmatch(path)
    form = format_of(inside[1]) if inside else None
    return f"{inside[1]}, {form.page} {inside[2]}" if inside and isinstance(form, ContainerFormat) else path


def _breakable(path: str) -> Markup:
    """The escaped path, which may be broken after its slashes and underscores."""
    return Markup(str(escape(path)).replace("/", "/<wbr>").replace("_", "_<wbr>"))


def _policy(style: str, script: str, pictures_from: str) -> str:
    """Content security policy: this style, this script, pictures from where they may be, nothing from elsewhere."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src {pictures_from}; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )
