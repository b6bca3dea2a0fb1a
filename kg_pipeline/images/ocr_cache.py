"""What was read in pictures, one small file per picture content, so that no picture is read twice."""

import csv
import json
import logging
import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from kg_pipeline.images.errors import ImageError
from kg_pipeline.progress import track
from kg_pipeline.storage.atomic import replacing

RECIPE = "2"
"""Changes when pictures are prepared differently; entries of another recipe are read anew."""
RECIPES = ("1", RECIPE)
"""Those that are the same for still, opaque pictures: 2 chooses frame and ground, and reads all pages."""
IMPORT_COLUMNS = ("sha256", "image", "line", "text", "confidence", "left", "top", "right", "bottom")
IMAGE_ID = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """A line of text; its box in pixels of the picture as read (left, top, right, bottom)."""

    text: str
    confidence: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Entry:
    """All lines of a picture in reading order; `reader` names program and version, `error` why nothing was read."""

    reader: str
    lines: tuple[Line, ...] = ()
    error: str | None = None


def entry_path(cache: Path, image_id: str) -> Path:
    """File of an entry: 256 folders, so that none grows beyond what file systems like."""
    return cache / image_id[:2] / f"{image_id}.json"


def load_entry(cache: Path, image_id: str, recipes: tuple[str, ...] = RECIPES) -> Entry | None:
    """The entry of a picture; None when there is none, or none of these recipes that can be read."""
    path = entry_path(cache, image_id)
    try:
        data = json.loads(path.read_bytes())
        if data["recipe"] not in recipes:
            return None
        lines = [Line(line["text"], line["confidence"], tuple(line["box"])) for line in data["lines"]]
        return Entry(data["reader"], tuple(lines), data["error"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s: damaged OCR cache entry, the picture is read again: %r", path, error)
        return None


def store_entry(cache: Path, image_id: str, entry: Entry) -> None:
    """Write an entry in one step: a killed run leaves whole files or none. Raises ImageError."""
    path = entry_path(cache, image_id)
    text = json.dumps({"recipe": RECIPE, **asdict(entry)}, ensure_ascii=False)
    try:
        with replacing(path) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ImageError(f"cannot write {path}: {error.strerror or error}; check free space and rights") from error


def import_ocr(csv_file: Path, cache: Path) -> int:
    """Fill the cache from a table of lines read elsewhere; returns how many pictures were new to it.

    Columns sha256, image, line (from 1; 0 where nothing was read), text, confidence, left, top, right, bottom. Raises
    ImageError naming file, line and problem; nothing is stored then.
    """
    found: dict[str, dict[int, Line]] = defaultdict(dict)
    try:
        with csv_file.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in IMPORT_COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise ImageError(
                    f"{csv_file}, line 1: missing column {', '.join(missing)}; needed are {', '.join(IMPORT_COLUMNS)}"
                )
            for row in rows:
                _collect(found, row, f"{csv_file}, line {rows.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImageError(f"{csv_file}: cannot be read as CSV: {error}") from error
    new = [image_id for image_id in sorted(found) if load_entry(cache, image_id) is None]
    for image_id in track(new, "importing OCR"):
        lines = [line for _, line in sorted(found[image_id].items())]
        store_entry(cache, image_id, Entry(f"imported from {csv_file.name}", tuple(lines)))
    return len(new)


def _collect(found: dict[str, dict[int, Line]], row: dict[str, str], where: str) -> None:
    """Take one row in. Copies of a picture have rows each; their lines are the same and count once."""
    image_id = (row["sha256"] or "").lower()
    if not IMAGE_ID.fullmatch(image_id):
        raise ImageError(f"{where}: {row['sha256']!r} is no SHA-256 (64 hexadecimal digits)")
    lines = found[image_id]
    if not row["text"]:
        return
    try:
        box = tuple(round(float(row[side])) for side in IMPORT_COLUMNS[5:])
        lines[int(row["line"])] = Line(row["text"], float(row["confidence"]), (box[0], box[1], box[2], box[3]))
    except (TypeError, ValueError) as error:
        raise ImageError(f"{where}: line, confidence and the box must be numbers: {error}") from error
