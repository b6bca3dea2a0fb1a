"""What the gallery shows, as plain values: pictures, passages, evidence with its bars. Made from frames, in order."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import fsum

import polars as pl

from kg_pipeline.reports.plain_text import plain
from kg_pipeline.tables import PAIR_FEATURES

PASSAGE_CHARACTERS = 420
READ_CHARACTERS = 2 * PASSAGE_CHARACTERS
"""Of a passage, before its marks are taken out: what is behind them is not shown."""
BARS = 12
"""Features that get a bar of their own; the rest is summed up."""
FIRST_PARTS = ("intercept",)
LAST_PARTS = ("rivals", "other_passages", "reranker")
"""Parts that are no feature of the pair alone; they stand before and behind the features, whatever their size."""
THUMBNAIL_CHARACTERS = 24_000
"""A WebP of 160 pixels takes some 6,000; an SVG, which is embedded as it is, may take any number."""
THUMBNAILS_CHARACTERS = 4_800_000

PARTS: Mapping[str, str] = {
    "intercept": "what every pair starts from",
    "other_passages": "what the document's other passages add to its best one",
    "reranker": "the log-odds of the model that looks at the picture",
}
"""Parts of the log-odds that are no feature of the evidence model."""
SUM_TOLERANCE = 0.01
"""Contributions are rounded to six digits."""

EMPTY_LINES = re.compile(r"\n\s*\n")
NO_CHUNK: Mapping[str, object] = {
    "document_path": None, "format": None, "heading_path": [], "text": "", "line_start": None, "page": None
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture file."""

    path: str
    link: str | None
    thumbnail: str | None


@dataclass(frozen=True)
class Passage:
    """A passage in its place; `text` is cut to PASSAGE_CHARACTERS."""

    document: str
    heading: str
    text: str
    line: int | None
    page: int | None = None
    """Where the format has pages; a reader looks for that rather than for a line."""


@dataclass(frozen=True)
class Bar:
    """A step of the waterfall: from `start` on, `width` wide, in percent of the chart."""

    name: str
    value: float
    start: float
    width: float
    note: str = ""
    """What it sums up."""


@dataclass(frozen=True)
class Edge:
    """A kept pair of picture and text."""

    kind: str
    """chunk, document, concept."""
    name: str
    """Of the concept; the path of the document."""
    passage: Passage
    """The passage, or the one that speaks most for the document or concept."""
    score: float | None
    confidence: float | None
    rank: int | None
    margin_points: float | None
    reason: str
    bars: tuple[Bar, ...]
    decision: str
    """From the sum of the bars to the confidence."""


@dataclass(frozen=True)
class EvidenceCard:
    """A picture with its edges, best first: from passages, from documents, to concepts."""

    picture: Picture
    edges: tuple[Edge, ...]
    marks: str
    """Filters that let it through: `weak`, `close`, `unreferenced`."""


@dataclass(frozen=True)
class OrphanCard:
    """A file that nothing uses, or a group of files that is one suggestion."""

    picture: Picture
    reason: str
    note: str
    passage: Passage | None
    score: float | None
    confidence: float | None
    rank: int | None
    value: float | None
    duplicate_of: Picture | None
    near_duplicate_of: Picture | None
    others: tuple[Picture, ...]
    """The rest of its group; at most as many as are shown."""
    count: int
    """Files of the group."""
    edge: Edge | None


@dataclass(frozen=True)
class QuestionableCard:
    """A reference whose picture fits another document better."""

    picture: Picture
    line: int | None
    log_odds_behind: float
    here: Passage
    score: float | None
    there: Passage
    preferred_score: float | None
    wanted_here: Picture | None
    """The picture that fits the passage here best, of those that do not stand in it."""
    shown_there: Picture | None
    """A picture that the other passage shows already."""


class Pictures:
    """Pictures by path, with thumbnails until the page would grow too big."""

    def __init__(self, image_files: pl.DataFrame, thumbnail: Callable[[str], str | None]) -> None:
        self._uris: dict[str, str | None] = dict(image_files.select("path", "uri").iter_rows())
        self._thumbnail = thumbnail
        self._left = THUMBNAILS_CHARACTERS
        self.left_out = 0

    def picture(self, path: str, *, readable: bool = True) -> Picture:
        """The picture; a file that could not be read is not tried."""
        uri = self._uris.get(path)
        link = uri if uri and uri.startswith("file://") else None
        return Picture(path, link, self._data(uri) if uri and readable else None)

    def _data(self, uri: str) -> str | None:
        if self._left <= 0:
            self.left_out += 1
            return None
        data = self._thumbnail(uri)
        if data is None or not data.startswith("data:image/") or len(data) > THUMBNAIL_CHARACTERS:
            return None
        self._left -= len(data)
        return data


class Passages:
    """Passages by chunk id; only those asked for are read from the frame."""

    def __init__(self, chunks: pl.DataFrame, documents: pl.DataFrame, wanted: Iterable[str | None]) -> None:
        ids = pl.Series("chunk_id", sorted({chunk for chunk in wanted if chunk}), dtype=pl.String).to_frame()
        found = chunks.join(ids, on="chunk_id", how="semi").join(
            documents.select("document_id", "format", document_path="path"), on="document_id", how="left"
        )
        self._rows: Mapping[str, Mapping[str, object]] = {row["chunk_id"]: row for row in found.iter_rows(named=True)}

    def passage(self, chunk_id: str | None, document: str | None = None) -> Passage:
        """The passage; one that is gone is empty, in `document` where that is known."""
        row = self._rows.get(chunk_id or "", NO_CHUNK)
        headings, line, text = row["heading_path"] or [], row["line_start"], str(row["text"] or "")
        assert isinstance(headings, list)
        page = row["page"]
        assert line is None or isinstance(line, int)
        assert page is None or isinstance(page, int)
        assert row["format"] is None or isinstance(row["format"], str)
        # A passage begins with its own heading, which is shown above it.
        own = f"{headings[-1]}\n" if headings else ""
        return Passage(
            document=str(row["document_path"] or document or ""),
            heading=plain(" › ".join(map(str, headings)), row["format"]),
            text=shortened(plain(text.removeprefix(own)[:READ_CHARACTERS], row["format"])),
            line=line,
            page=page,
        )


def shortened(text: str) -> str:
    """`text` without empty lines, cut at PASSAGE_CHARACTERS."""
    text = EMPTY_LINES.sub("\n", text.strip())
    return text if len(text) <= PASSAGE_CHARACTERS else text[:PASSAGE_CHARACTERS].rstrip() + " …"


def waterfall(contributions: list[dict[str, object]]) -> tuple[Bar, ...]:
    """Steps from 0 to the log-odds: FIRST_PARTS, features by size (all but BARS as one), LAST_PARTS, the sum."""
    parts = [(str(part["name"]), _number(part["value"])) for part in contributions]
    parts = [(name, value) for name, value in parts if value]
    features = sorted(
        (part for part in parts if part[0] not in FIRST_PARTS + LAST_PARTS), key=lambda part: (-abs(part[1]), part[0])
    )
    small = features[BARS:]
    steps = [part for part in parts if part[0] in FIRST_PARTS] + features[:BARS]
    if small:
        steps.append((f"{len(small)} smaller", fsum(value for _, value in small)))
    steps += sorted((part for part in parts if part[0] in LAST_PARTS), key=lambda part: LAST_PARTS.index(part[0]))
    if not steps:
        return ()
    ends = [fsum(value for _, value in steps[:count]) for count in range(len(steps) + 1)]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0
    steps.append(("sum", ends[-1]))
    starts = [min(start, start + value) for start, (_, value) in zip([*ends[:-1], 0.0], steps, strict=True)]
    note = ", ".join(f"{name} {value:+.2f}" for name, value in small)
    return tuple(
        Bar(
            name,
            value,
            round(100 * (start - low) / span, 1),
            round(100 * abs(value) / span, 1),
            note if name.endswith(" smaller") else "",
        )
        for start, (name, value) in zip(starts, steps, strict=True)
    )


def meanings(names: Collection[str]) -> dict[str, str]:
    """What the parts of these names mean, in the order of the tables."""
    return {name: text for name, text in {**PARTS, **PAIR_FEATURES}.items() if name in names}


def decision(row: Mapping[str, object]) -> str:
    """How a row of visual_evidence comes from the sum of its contributions to its confidence, in words."""
    confidence, log_odds, parts = row["confidence"], row["log_odds"], row["contributions"] or []
    if not isinstance(confidence, float):
        return "no confidence: it could not be scored"
    assert isinstance(parts, list)
    total, calibrated = fsum(_number(part["value"]) for part in parts), row["confidence_source"] == "calibrated"
    how = "calibrated on the references of this collection" if calibrated else "score / 10"
    # Without a calibration, and always for concepts, a reranker's log-odds stand alone.
    if abs(total - _number(log_odds)) < SUM_TOLERANCE or (calibrated and row["text_kind"] != "concept"):
        return f"log-odds {total:+.1f} → confidence {confidence:.2f}, {how}"
    return (
        f"decided by the reranker: log-odds {_number(log_odds):+.1f} → confidence {confidence:.2f}, {how}; "
        "the bars say what words and paths say"
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
