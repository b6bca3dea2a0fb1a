"""What plain tools find in a document: its words, and its pictures by number or by name.

Poppler for PDF; asciidoctor (to HTML) for AsciiDoc; pandoc for Markdown, reStructuredText, Org, LaTeX and MediaWiki;
lxml for HTML; for zip files, JSON and XML every string in their text elements. What no reader of prose would see is
left out here: formulas, raw commands, comments, the menus of a site, and the names of picture files.
"""

import email
import email.policy
import json
import posixpath
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from lxml import etree, html

from kg_pipeline.documents.decoding import decode
from kg_pipeline.documents.image_names import without_image_names


@dataclass(frozen=True)
class Plain:
    """Text and pictures: how many lie in the file, or the names of those that lie beside it."""

    text: str
    pictures: int
    names: frozenset[str] = frozenset()


TEXT_PARTS = {
    "docx": re.compile(r"word/(document|footnotes|endnotes)\.xml"),
    "pptx": re.compile(r"ppt/(slides/slide|notesSlides/notesSlide)\d+\.xml"),
    "xlsx": re.compile(r"xl/(sharedStrings\.xml)"),
    "epub": re.compile(r".*\.x?html?"),
}
# Not docProps/thumbnail.jpeg, which shows the document itself.
MEDIA = re.compile(r"(?!docProps/).*\.(png|jpe?g|gif|svg|emf|wmf|tiff?|bmp)", re.IGNORECASE)
MENU_CLASSES = ("navheader", "navfooter", "docnav", "sphinxsidebar")
MENUS = " | ".join(
    [f"//{name}" for name in ("nav", "script", "style", "template", "textarea", "title")]
    + ["//*[@role='navigation' or @role='search']"]
    + [f"//*[contains(concat(' ', @class, ' '), ' {name} ')]" for name in MENU_CLASSES]
)
PANDOC_READS = {
    "markdown": "gfm+footnotes+yaml_metadata_block",
    "rst": "rst",
    "org": "org",
    "latex": "latex",
    "mediawiki": "mediawiki",
}
PICTURE_NAME = re.compile(r"\.(png|jpe?g|gif|svg|webp|bmp|tiff?|avif|apng|pdf|eps|ico|jp2)$", re.IGNORECASE)
SECONDS = 60


def picture_name(target: str) -> str:
    """What two tools that read the same target call alike: its last part, without extension, as it is spelt."""
    last = posixpath.basename(unquote(target.partition("?")[0].partition("#")[0].strip().replace("\\", "/")))
    return PICTURE_NAME.sub("", last.removesuffix(".*")).replace(" ", "_").strip("_").lower()


def pdf_reference(file: Path) -> Plain:
    text = subprocess.run(["pdftotext", "-enc", "UTF-8", str(file), "-"], capture_output=True, check=False).stdout
    rows = subprocess.run(["pdfimages", "-list", str(file)], capture_output=True, check=False, text=True).stdout
    fields = [row.split() for row in rows.splitlines()[2:]]
    distinct = {tuple(row[3:9] + row[-2:-1]) for row in fields if len(row) > 9 and row[2] == "image"}
    words = re.sub(r"[-\u00ad\u2010]\n\s*", "", text.decode("utf-8", errors="replace"))
    return Plain(words, len(distinct))


def zip_reference(name: str, file: Path) -> Plain:
    """The words of the text elements, and the distinct pictures that the relationships of the same parts name."""
    texts: list[str] = []
    pictures: set[bytes] = set()
    with ZipFile(file) as package:
        for part in package.namelist():
            if TEXT_PARTS[name].fullmatch(part):
                data = package.read(part)
                texts += html_text(data) if name == "epub" else xml_text(data)
                pictures |= shown(package, part, data) if name == "epub" else set()
            elif name != "epub" and MEDIA.fullmatch(part) and not part.endswith(".rels"):
                pictures.add(package.read(part))
    return Plain(" ".join(texts), len(pictures))


def xml_text(data: bytes) -> list[str]:
    """Text per paragraph; of alternatives only the first."""
    root = etree.fromstring(data)
    for unwanted in list(root.iter("{*}Fallback", "{*}fld")):  # old forms of the same, numbers of pages
        unwanted.getparent().remove(unwanted)
    for end in root.iter("{*}br", "{*}tab", "{*}cr"):
        end.tag, end.text = "t", " "
    paragraphs = list(root.iter("{*}p", "{*}si"))
    return ["".join(piece.text or "" for piece in paragraph.iter("{*}t")) for paragraph in paragraphs]


def shown(package: ZipFile, part: str, data: bytes) -> set[bytes]:
    """Pictures of the book that a page shows, not those of style sheets or of the reading program."""
    places = html.fromstring(data).xpath("//img/@src | //image/@*[local-name()='href']")
    names = (posixpath.normpath(posixpath.join(posixpath.dirname(part), unquote(place))) for place in places)
    return {package.read(name) for name in names if name in package.namelist()}


def html_text(data: bytes) -> list[str]:
    body = html.fromstring(data).find(".//body")
    return list(body.itertext()) if body is not None else []


def notebook_reference(file: Path) -> Plain:
    notebook = json.loads(file.read_bytes())
    cells = notebook.get("cells") or [cell for sheet in notebook.get("worksheets", []) for cell in sheet["cells"]]
    sources = ["".join(cell.get("source", cell.get("input", ""))) for cell in cells]
    pictures = set()
    for cell in cells:
        for output in cell.get("outputs", []):
            bundle = output.get("data", output)
            kinds = [kind for kind in bundle if kind in ("png", "jpeg", "svg") or kind.startswith("image/")]
            content = "".join(bundle[kinds[0]]) if kinds else ""
            # Test files hold words in the place of pictures as well.
            pictures |= {content} if "<svg" in content or re.fullmatch(r"[A-Za-z0-9+/=\s]{60,}", content) else set()
    words = "\n".join(re.sub(r"<[^>]*>|\]\([^)]*\)", " ", source) for source in sources)
    return Plain(words, len(pictures))


def mail_reference(file: Path) -> Plain:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    body = message.get_body(("html", "plain"))
    text = body.get_content() if body else ""
    if body and body.get_content_subtype() == "html":
        text = " ".join(html_text(f"<html><body>{text}</body></html>".encode()))
    pictures = {part.get_payload(decode=True) for part in message.walk() if part.get_content_maintype() == "image"}
    return Plain(text, len(pictures - {None, b""}))


def html_reference(file: Path) -> Plain:
    return of_html(decode(file.read_bytes()))


def of_html(text: str) -> Plain:
    """Text and pictures of a page without its menus."""
    tree = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    for unwanted in tree.xpath(MENUS):
        if unwanted.getparent() is not None:
            unwanted.drop_tree()
    for element in tree.iter("br", "p", "div", "td", "th", "li", "dt", "dd", "tr", "h1", "h2", "h3", "h4", "pre"):
        element.tail = f" {element.tail or ''}"
    body = tree.find(".//body")
    words = "".join(piece for piece in (tree if body is None else body).xpath(".//text()[not(parent::comment())]"))
    shown = [str(place) for place in tree.xpath("//img/@src | //object[starts-with(@type, 'image/')]/@data")]
    return named(words, [place for place in shown if not place.startswith("data:")])


def asciidoc_reference(file: Path) -> Plain:
    """As asciidoctor shows it, without following `include::`."""
    command = ["asciidoctor", "--safe-mode", "secure", "-q", "-a", "sectids!", "-a", "showtitle", "-o", "-", str(file)]
    page = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS).stdout.decode()
    found = of_html(re.sub(r'<div id="footer">.*', "", page, flags=re.DOTALL))
    return Plain(re.sub(r"include::\S*|link:\S*", " ", found.text), found.pictures, found.names)


def pandoc_reference(name: str, text: str) -> Plain:
    """Words and pictures of the syntax tree. Raises ValueError where pandoc cannot read the text."""
    if name == "rst":  # pandoc knows roles of a domain, such as :py:class:, not for what they are
        text = re.sub(r":\w+:(\w+):`", r":\1:`", text)
    command = ["pandoc", "--sandbox", "-f", PANDOC_READS[name], "-t", "json"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=SECONDS)
    if done.returncode:
        raise ValueError(f"pandoc: {done.stderr.decode()[:80].strip()}")
    tree = json.loads(done.stdout)
    pictures: list[str] = []
    words = "".join(tree_text([tree["meta"].get("title", {}), tree["blocks"]], pictures))
    return named(words, pictures)


def named(words: str, pictures: list[str]) -> Plain:
    names = frozenset(picture_name(target) for target in pictures) - {""}
    return Plain("\n".join(map(without_image_names, words.split("\n"))), len(names), names)


def tree_text(node: Any, pictures: list[str]) -> Iterator[str]:
    """The words below a node of pandoc's tree; targets of images are added to `pictures`."""
    if isinstance(node, list):
        for part in node:
            yield from tree_text(part, pictures)
    elif isinstance(node, dict):
        kind, content = node.get("t"), node.get("c")
        yield from node_text(kind, content, pictures)
        if kind not in INSIDE_A_WORD:
            yield "\n"


def node_text(kind: str | None, content: Any, pictures: list[str]) -> Iterator[str]:
    match kind:
        case "Str":
            yield content
        case "Code" | "CodeBlock":
            yield f"{content[1]} "
        case "RawInline" | "RawBlock" if content[0] == "html" and re.search(r"\w", content[1]):
            yield from raw_html(content[1], pictures)
        case "DefinitionList":
            for term, definitions in content:
                yield from tree_text(term, pictures)
                yield "\n"
                yield from tree_text(definitions, pictures)
        case "Image":
            pictures.append(content[2][0])
            alt = "".join(tree_text(content[1], pictures))
            yield "" if alt.strip() == "image" else alt  # what pandoc says where nothing is said
        case "Space" | "SoftBreak" | "LineBreak":
            yield " "
        case _ if not is_silent(kind, content):
            yield from tree_text(content, pictures)


def is_silent(kind: str | None, content: Any) -> bool:
    """Formulas, raw commands of LaTeX, names of labels, lists of the other pages."""
    labels = kind == "Link" and any(key == "reference-type" for key, _ in content[0][2])
    return kind in (None, "Math", "RawInline", "RawBlock") or labels or (kind == "Div" and "toctree" in content[0][1])


INSIDE_A_WORD = frozenset(
    ["Str", "Emph", "Strong", "Span", "Link", "Code", "Quoted", "Superscript", "Subscript", "Strikeout", "SmallCaps"]
)


def raw_html(markup: str, pictures: list[str]) -> Iterator[str]:
    try:
        root = html.fragment_fromstring(markup, create_parent="div")
    except (etree.ParserError, ValueError):
        return
    pictures += [str(place) for place in root.xpath(".//img/@src")]
    yield " ".join(root.xpath(".//text()"))


def dump_reference(file: Path) -> Plain:
    """The newest text of every page with prose, through pandoc; uploads that lie in it."""
    words, uploads = [], set()
    for page in etree.parse(file).getroot().iterfind("{*}page"):
        namespace, newest = int(page.findtext("{*}ns") or 0), page.findall("{*}revision")[-1]
        if namespace in (0, 4, 6, 12, 14) and page.find("{*}redirect") is None:
            words += [page.findtext("{*}title") or ""]
            if (newest.findtext("{*}model") or "wikitext") == "wikitext":
                with suppress(ValueError):  # a page that pandoc cannot read says nothing of ours
                    words += [pandoc_reference("mediawiki", newest.findtext("{*}text") or "").text]
            uploads |= {upload.findtext("{*}contents") for upload in page.iterfind("{*}upload")}
    return Plain("\n".join(words), len(uploads - {None}))


def confluence_reference(file: Path) -> Plain:
    """The main part of every page; pictures among the attachments."""
    words, pictures = [], set()
    with ZipFile(file) as export:
        for member in export.namelist():
            if member.endswith(".html") and posixpath.basename(member) != "index.html":
                tree = html.document_fromstring(export.read(member))
                main = tree.xpath("//*[@id='title-text'] | //*[@id='main-content']")
                words += [" ".join(part.xpath(".//text()")) for part in main]
            elif MEDIA.fullmatch(member) and "/attachments/" in f"/{member}":
                pictures.add(export.read(member))
    return Plain("\n".join(words), len(pictures))


def reference(name: str, file: Path) -> Plain:
    """What plain tools find in a file of the format `name`."""
    if name in PANDOC_READS:
        return pandoc_reference(name, decode(file.read_bytes()))
    return REFERENCES[name](file) if name in REFERENCES else zip_reference(name, file)


REFERENCES: dict[str, Callable[[Path], Plain]] = {
    "pdf": pdf_reference,
    "notebook": notebook_reference,
    "email": mail_reference,
    "html": html_reference,
    "asciidoc": asciidoc_reference,
    "mediawiki_dump": dump_reference,
    "confluence": confluence_reference,
}
