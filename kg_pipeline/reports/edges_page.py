"""The page on which people look at edges: all that are kept, filtered and sorted, drawn as they are scrolled to.

Fifty thousand edges with their passages are 30 MB of text: the page carries them compressed, as data that is no script,
and unpacks them in the browser, so that it works from a file as well as over http and loads nothing it does not hold.
"""

import base64
import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import polars as pl

from kg_pipeline.reports.edge_columns import edge_columns
from kg_pipeline.reports.page import render, write_page
from kg_pipeline.reports.views import Pictures
from kg_pipeline.tables import TABLES

TABLES_READ = ("documents", "chunks", "references", "image_files", "images", "concepts", "visual_evidence")
PICTURES_FROM = "data: file: 'self'"
"""Beside those in the page: the file itself where the page is a file, `thumbnails/` where it is served."""
COMPRESSION = 6


def write_edges(
    path: Path,
    collection: str,
    tables: Mapping[str, pl.DataFrame],
    thumbnail: Callable[[str], str | None],
) -> Path:
    """Write the page of a collection's edges to `path`, atomically, and return `path`. Raises ReportError.

    `tables` are frames by table name (TABLES_READ; a missing one counts as empty). `thumbnail` gives a data: address
    for a picture's uri, or None: the least certain pictures get one until the page would grow too big.
    """
    shown = {name: tables.get(name, TABLES[name].empty()) for name in TABLES_READ}
    columns = edge_columns(shown, Pictures(shown["image_files"], cache(thumbnail)))
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # mtime=0: the same edges are the same bytes.
    packed = gzip.compress(text.encode(), COMPRESSION, mtime=0)
    page = render(
        "edges.html.j2",
        ("gallery.css", "edges.css"),
        "edges.js",
        pictures_from=PICTURES_FROM,
        collection=collection,
        count=len(columns["edges"]["picture"]),
        pictures=len(columns["pictures"]),
        findings=columns["findings"],
        data=base64.b64encode(packed).decode(),
    )
    return write_page(path, page)
