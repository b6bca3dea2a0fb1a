"""Documents with pictures inside: what is read of real files, how fast, and in how much memory.

    python benchmarks/formats.py FOLDER… [--copies 1000] [--most 40]

Takes every file below the folders whose format has pictures inside (at most --most per format, spread over them). Text
is the share of the words, each as often as it stands there, that a plain tool finds and we find as well: pdftotext for
PDF (labels in drawings, which we leave to OCR, count as found); for zip files and JSON, every string in their text
elements. Pictures is the share of the distinct pictures that pdfimages lists, or that lie in the zip file, the pages of
the book or the outputs. Speed is pages (slides, sheets; else documents) per second on one core, against the bare
library: open, text of every page or part, bytes of every picture. With --copies as many different PDFs are taken apart
as a run does it, and the memory of this process and its workers is watched. Ends with one JSON line. Needs
poppler-utils.
"""

import argparse
import email
import email.policy
import json
import os
import platform
import posixpath
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from unittest.mock import patch
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

import psutil
import pypdfium2 as pdfium
from lxml import etree, html
from pypdfium2 import raw

from kg_pipeline.config import Collection, Limits
from kg_pipeline.documents import list_embedded
from kg_pipeline.documents.containers import pdf_pictures
from kg_pipeline.documents.errors import DocumentError
from kg_pipeline.documents.formats import CONTAINERS, ContainerFormat
from kg_pipeline.documents.opening import CONTAINER_ERRORS
from kg_pipeline.documents.parsed import ParsedDocument

WORD = re.compile(r"\w+")
TEXT_ELEMENTS = frozenset(["t", "v"])
TEXT_PARTS = {
    "docx": re.compile(r"word/(document|footnotes|endnotes)\.xml"),
    "pptx": re.compile(r"ppt/(slides/slide|notesSlides/notesSlide)\d+\.xml"),
    "xlsx": re.compile(r"xl/(sharedStrings\.xml)"),
    "epub": re.compile(r".*\.x?html?"),
}
# Not docProps/thumbnail.jpeg, which shows the document itself.
MEDIA = re.compile(r"(?!docProps/).*\.(png|jpe?g|gif|svg|emf|wmf|tiff?|bmp)", re.IGNORECASE)
BOUND = {"text": 0.98, "pictures": 0.99}


@dataclass
class Measured:
    """What was found in the files of one format."""

    files: int = 0
    opened: int = 0
    words: int = 0
    words_found: int = 0
    pictures: int = 0
    pictures_found: int = 0
    pages: int = 0
    seconds: float = 0.0
    bare_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--copies", type=int, default=0)
    parser.add_argument("--most", type=int, default=40)
    options = parser.parse_args()
    files = [file for folder in options.folders for file in sorted(folder.rglob("*")) if file.is_file()]
    ratios: dict[str, float] = {}
    print("| format | files | opened | text | pictures | of | pages/s | bare pages/s |")
    print("|---|---|---|---|---|---|---|---|")
    for form in dict.fromkeys(CONTAINERS.values()):
        chosen = spread([file for file in files if CONTAINERS.get(file.suffix.lower()) == form], options.most)
        if chosen:
            report(form, measure(form, chosen), ratios)
    if options.copies:
        ratios["memory_growth"] = watch([file for file in files if file.suffix.lower() == ".pdf"], options.copies)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps({"name": "formats", "ratios": ratios, "bound": bounds(ratios), "machine": machine}))


def bounds(ratios: dict[str, float]) -> dict[str, float]:
    return {key: BOUND[key.rsplit("_", 1)[-1]] for key in ratios if key.rsplit("_", 1)[-1] in BOUND}


def spread(files: list[Path], most: int) -> list[Path]:
    step = max(len(files) / most, 1)
    return [files[int(index * step)] for index in range(min(most, len(files)))]


def report(form: ContainerFormat, found: Measured, ratios: dict[str, float]) -> None:
    text = found.words_found / found.words if found.words else 1.0
    pictures = found.pictures_found / found.pictures if found.pictures else 1.0
    speed, bare = found.pages / max(found.seconds, 1e-9), found.pages / max(found.bare_seconds, 1e-9)
    print(
        f"| {form.name} | {found.files} | {found.opened} | {text:.4f} | {pictures:.4f} | {found.pictures} "
        f"| {speed:.0f} | {bare:.0f} |"
    )
    for problem in found.problems:
        print(f"    {problem}")
    ratios |= {
        f"{form.name}_text": round(text, 4),
        f"{form.name}_pictures": round(pictures, 4),
        f"{form.name}_speed": round(speed / bare, 3) if bare else 0.0,
    }


def measure(form: ContainerFormat, files: list[Path]) -> Measured:
    found = Measured()
    for file in files:
        data = file.read_bytes()
        found.files += 1
        begun = time.process_time()
        try:
            document = form.read(data, Limits())
        except (DocumentError, *CONTAINER_ERRORS) as error:
            found.problems.append(f"{file.name}: {type(error).__name__}: {error}"[:140])
            continue
        found.seconds += time.process_time() - begun
        found.opened += 1
        found.pages += max(len(document.pages), 1)
        begun = time.process_time()
        try:
            BARE.get(form.name, bare_zip)(data)
        except CONTAINER_ERRORS:
            found.problems.append(f"{file.name}: more than the bare library reads")
        found.bare_seconds += time.process_time() - begun
        text, pictures = REFERENCE.get(form.name, lambda file: zip_reference(form.name, file))(file)
        words = Counter(WORD.findall(text.lower()))
        ours = Counter(WORD.findall(text_of(with_labels(form, data, document)).lower()))
        found.words += words.total()
        found.words_found += (words & ours).total()
        held = min(embedded(form, data, document), pictures)
        found.pictures += pictures
        found.pictures_found += held
        share = (words & ours).total() / max(words.total(), 1)
        if (words and share < BOUND["text"]) or held < pictures:
            found.problems.append(f"{file.name}: text {share:.3f} of {words.total()}, pictures {held} of {pictures}")
    return found


def with_labels(form: ContainerFormat, data: bytes, document: ParsedDocument) -> ParsedDocument:
    """The document with the text in its drawings, which stands in the pictures otherwise."""
    if form.name != "pdf":
        return document
    with patch.object(pdf_pictures, "drawings_of", return_value=[]):
        return form.read(data, Limits())


def text_of(document: ParsedDocument) -> str:
    captions = (text for reference in document.references for text in (reference.caption, reference.alt) if text)
    return "\n".join((*document.prose, *captions))


def embedded(form: ContainerFormat, data: bytes, document: ParsedDocument) -> int:
    """Pictures without those that we draw ourselves, which no other tool lists."""
    if form.name != "pdf":
        return len(document.pictures)
    contents = set()
    with pdfium.PdfDocument(data) as pdf:
        for number in range(len(pdf)):
            try:
                contents |= {picture.data for picture in pdf_pictures._embedded(pdf[number], Limits())}
            except pdfium.PdfiumError:
                continue  # a broken page of many
    return len(contents)


def pdf_reference(file: Path) -> tuple[str, int]:
    text = subprocess.run(["pdftotext", "-enc", "UTF-8", str(file), "-"], capture_output=True, check=False).stdout
    rows = subprocess.run(["pdfimages", "-list", str(file)], capture_output=True, check=False, text=True).stdout
    fields = [row.split() for row in rows.splitlines()[2:]]
    distinct = {tuple(row[3:9] + row[-2:-1]) for row in fields if len(row) > 9 and row[2] == "image"}
    return re.sub(r"[-\u00ad\u2010]\n\s*", "", text.decode("utf-8", errors="replace")), len(distinct)


def zip_reference(name: str, file: Path) -> tuple[str, int]:
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
    return " ".join(texts), len(pictures)


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


def notebook_reference(file: Path) -> tuple[str, int]:
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
    return "\n".join(re.sub(r"<[^>]*>|\]\([^)]*\)", " ", source) for source in sources), len(pictures)


def mail_reference(file: Path) -> tuple[str, int]:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    body = message.get_body(("html", "plain"))
    text = body.get_content() if body else ""
    if body and body.get_content_subtype() == "html":
        text = " ".join(html_text(f"<html><body>{text}</body></html>".encode()))
    pictures = {part.get_payload(decode=True) for part in message.walk() if part.get_content_maintype() == "image"}
    return text, len(pictures - {None, b""})


def bare_pdf(data: bytes) -> None:
    with pdfium.PdfDocument(data) as pdf:
        for number in range(len(pdf)):
            page = pdf[number]
            page.get_textpage().get_text_range()
            for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=8):
                image.get_data()


def bare_zip(data: bytes) -> None:
    try:
        with ZipFile(BytesIO(data)) as package:
            for name in package.namelist():
                part = package.read(name)
                if name.endswith((".xml", ".rels")):
                    etree.fromstring(part)
    except BadZipFile:
        json.loads(data)


BARE: dict[str, Callable[[bytes], object]] = {
    "pdf": bare_pdf,
    "email": lambda data: list(email.message_from_bytes(data).walk()),
}
REFERENCE: dict[str, Callable[[Path], tuple[str, int]]] = {
    "pdf": pdf_reference,
    "notebook": notebook_reference,
    "email": mail_reference,
}


def watch(files: list[Path], copies: int) -> float:
    """Take `copies` different PDFs apart; the peak of memory in the second half over that in the first."""
    small = [file for file in files if file.stat().st_size < 2_000_000]
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        docs.mkdir()
        for number in range(copies):
            source = small[number % len(small)]
            # A comment after the end makes it another document.
            (docs / f"{number:05}.pdf").write_bytes(source.read_bytes() + f"\n% {number}\n".encode())
        collection = Collection.model_validate(
            {"name": "bench", "documents": [{"root": "docs"}]}, context={"base": Path(folder)}
        )
        samples: list[int] = []
        stop = threading.Event()
        thread = threading.Thread(target=sample, args=(samples, stop))
        thread.start()
        begun = time.monotonic()
        rows = list_embedded(collection, Path(folder) / "shelf")
        seconds = time.monotonic() - begun
        stop.set()
        thread.join()
        shutil.rmtree(Path(folder) / "shelf")
    half = len(samples) // 2
    first, second = max(samples[:half]), max(samples[half:])
    print(
        f"{copies} PDFs in {seconds:.0f} s, {len(rows)} pictures; memory of all processes: at most "
        f"{first / 1e6:.0f} MB in the first half, {second / 1e6:.0f} MB in the second"
    )
    return round(second / first, 3)


def sample(samples: list[int], stop: threading.Event) -> None:
    me = psutil.Process()
    while not stop.wait(0.2):
        total = 0
        for process in (me, *me.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        samples.append(total)


if __name__ == "__main__":
    main()
