"""Documents with pictures inside: what is read of real files, how fast, and in how much memory.

    python benchmarks/formats.py FOLDER… [--copies 1000] [--most 40]

Takes every file below the folders whose format we read, but for plain text (at most --most per format, spread over
them). Text is the share of the words, each as often as it stands there, that a plain tool finds and we find as well;
which tool, says format_references.py. In a PDF, labels in drawings, which we leave to OCR, and headers and footers with
the page's number, which we leave out, count as found. Pictures is the share of the distinct pictures that pdfimages
lists, or that lie in the zip file, the pages of the book or the outputs; for text formats, of the names of pictures
that the tool finds. Speed is pages (slides, sheets; else documents) per second on one core, against the bare library
where there is one: open, text of every page or part, bytes of every picture. With --copies as many different PDFs are
taken apart as a run does it, and the memory of this process and its workers is watched. Ends with one JSON line. Needs
poppler-utils, pandoc and asciidoctor.
"""

import argparse
import email
import json
import os
import platform
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
from zipfile import BadZipFile, ZipFile

import psutil
import pypdfium2 as pdfium
from format_references import picture_name, reference
from lxml import etree, html
from markdown_it import MarkdownIt
from pypdfium2 import raw

from kg_pipeline.config import Collection, Limits
from kg_pipeline.documents import list_embedded
from kg_pipeline.documents.containers import pdf, pdf_pictures
from kg_pipeline.documents.decoding import BinaryFileError, decode
from kg_pipeline.documents.errors import DocumentError
from kg_pipeline.documents.formats import CONTAINERS, FORMATS, ContainerFormat, DocumentFormat, format_of
from kg_pipeline.documents.opening import CONTAINER_ERRORS
from kg_pipeline.documents.parsed import ParsedDocument

WORD = re.compile(r"[^\W_]+")
BOUND = {"text": 0.98, "pictures": 0.99}
Form = DocumentFormat | ContainerFormat


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
    by_name: dict[str, list[Path]] = {}
    for file in files:
        if (form := format_of(file.name)) and form.name != "text":
            by_name.setdefault(form.name, []).append(file)
    for name in dict.fromkeys(form.name for form in (*CONTAINERS.values(), *FORMATS.values())):
        if name in by_name:
            report(name, measure(name, spread(by_name[name], options.most)), ratios)
    if options.copies:
        ratios["memory_growth"] = watch([file for file in files if file.suffix.lower() == ".pdf"], options.copies)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps({"name": "formats", "ratios": ratios, "bound": bounds(ratios), "machine": machine}))


def bounds(ratios: dict[str, float]) -> dict[str, float]:
    return {key: BOUND[key.rsplit("_", 1)[-1]] for key in ratios if key.rsplit("_", 1)[-1] in BOUND}


def spread(files: list[Path], most: int) -> list[Path]:
    step = max(len(files) / most, 1)
    return [files[int(index * step)] for index in range(min(most, len(files)))]


def report(name: str, found: Measured, ratios: dict[str, float]) -> None:
    text = found.words_found / found.words if found.words else 1.0
    pictures = found.pictures_found / found.pictures if found.pictures else 1.0
    speed = found.pages / max(found.seconds, 1e-9)
    bare = found.pages / found.bare_seconds if found.bare_seconds else 0.0
    print(
        f"| {name} | {found.files} | {found.opened} | {text:.4f} | {pictures:.4f} | {found.pictures} "
        f"| {speed:.0f} | {f'{bare:.0f}' if bare else '-'} |"
    )
    for problem in found.problems:
        print(f"    {problem}")
    ratios |= {f"{name}_text": round(text, 4), f"{name}_pictures": round(pictures, 4)}
    ratios |= {f"{name}_speed": round(speed / bare, 3)} if bare else {}


def measure(name: str, files: list[Path]) -> Measured:
    found = Measured()
    for file in files:
        data, form = file.read_bytes(), format_of(file.name)
        assert form is not None
        found.files += 1
        begun = time.process_time()
        try:
            document = read(form, data)
        except (DocumentError, BinaryFileError, *CONTAINER_ERRORS) as error:
            found.problems.append(f"{file.name}: {type(error).__name__}: {error}"[:140])
            continue
        found.seconds += time.process_time() - begun
        found.opened += 1
        found.pages += max(len(document.pages), 1)
        if isinstance(form, ContainerFormat) or name in BARE:
            begun = time.process_time()
            try:
                BARE.get(name, bare_zip)(data)
            except CONTAINER_ERRORS:
                found.problems.append(f"{file.name}: more than the bare library reads")
            found.bare_seconds += time.process_time() - begun
        compare(found, file, form, data, document)
    return found


def compare(found: Measured, file: Path, form: Form, data: bytes, document: ParsedDocument) -> None:
    """Add what a plain tool finds in a file, and how much of it we found."""
    try:
        plain = reference(form.name, file)
    except (ValueError, subprocess.TimeoutExpired, etree.Error) as error:
        found.problems.append(f"{file.name}: not compared: {error}"[:140])
        return
    words = Counter(WORD.findall(plain.text.lower()))
    ours = Counter(WORD.findall(text_of(whole(form, data, document)).lower()))
    held = (words & ours).total()
    found.words += words.total()
    found.words_found += held
    if plain.names:
        missing = plain.names - {picture_name(shown.target) for shown in document.references}
        shown = plain.pictures - len(missing)
    else:
        missing, shown = frozenset(), min(embedded(form, data, document), plain.pictures)
    found.pictures += plain.pictures
    found.pictures_found += shown
    if (words and held < BOUND["text"] * words.total()) or shown < plain.pictures:
        lost = ", ".join([*sorted(missing)[:3], *(word for word, _ in (words - ours).most_common(6))])
        found.problems.append(
            f"{file.name}: text {held / max(words.total(), 1):.3f} of {words.total()}, "
            f"pictures {shown} of {plain.pictures}; not found: {lost}"
        )


def read(form: Form, data: bytes) -> ParsedDocument:
    return form.read(data, Limits()) if isinstance(form, ContainerFormat) else form.parse(decode(data))


def whole(form: Form, data: bytes, document: ParsedDocument) -> ParsedDocument:
    """The document with what we leave out of a PDF on purpose: text in its drawings, running headers and footers."""
    if form.name != "pdf":
        return document
    with (
        patch.object(pdf_pictures, "drawings_of", return_value=[]),
        patch.object(pdf, "_page_numbers", return_value=set()),
    ):
        return read(form, data)


def text_of(document: ParsedDocument) -> str:
    captions = (text for reference in document.references for text in (reference.caption, reference.alt) if text)
    return "\n".join((*document.prose, *captions, document.title or "", document.page_title or ""))


def embedded(form: Form, data: bytes, document: ParsedDocument) -> int:
    """Pictures without those that we draw ourselves, which no other tool lists."""
    if form.name != "pdf":
        return len(document.pictures)
    contents = set()
    with pdfium.PdfDocument(data) as file:
        for number in range(len(file)):
            try:
                contents |= {picture.data for picture in pdf_pictures._embedded(file[number], Limits())}
            except pdfium.PdfiumError:
                continue  # a broken page of many
    return len(contents)


def bare_pdf(data: bytes) -> None:
    with pdfium.PdfDocument(data) as file:
        for number in range(len(file)):
            page = file[number]
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
    "mediawiki_dump": etree.fromstring,
    "html": lambda data: html.document_fromstring(data).text_content(),
    "markdown": lambda data: MarkdownIt().parse(decode(data)),
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
