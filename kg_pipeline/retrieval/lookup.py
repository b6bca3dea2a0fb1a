"""Concepts, documents and pictures by the names people know: exact, else in any case, else an unambiguous end."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from kg_pipeline.retrieval.errors import RetrievalError

NAMED = 5
"""Near misses that a message names."""

Row = Mapping[str, Any]


def find_concept(concepts: pl.DataFrame, name: str) -> Row:
    """The concept of that name, alias or concept_id. Raises RetrievalError."""
    usable = concepts.drop_nulls("name").sort("name", "concept_id")
    rows = usable.to_dicts()
    called = [(alias, row) for row in rows for alias in (row["concept_id"], row["name"], *(row["aliases"] or ()))]
    found = _exactly_one(called, name) or _exactly_one(called, name, str.casefold)
    return found or _fail("concept", name, usable["name"])


def find_document(documents: pl.DataFrame, path: str) -> Row:
    """The document with that path, document_id, title or end of a path. Raises RetrievalError."""
    rows = documents.filter(pl.col("format") != "folder").sort("path").to_dicts()
    return _find_file(rows, "document", path, ("document_id", "path", "uri"), ("title",))


def find_picture(image_files: pl.DataFrame, path: str) -> Row:
    """The readable picture file with that path, image_id, uri or end of a path. Raises RetrievalError."""
    rows = image_files.drop_nulls("image_id").sort("path").to_dicts()
    return _find_file(rows, "picture", path, ("path", "uri", "image_id"), ())


def _find_file(rows: list[dict[str, Any]], kind: str, path: str, keys: Iterable[str], titles: Iterable[str]) -> Row:
    wanted = path.strip().replace("\\", "/").removeprefix("./")
    for key in keys:
        # Several files may have the same bytes: the first stands for them.
        if found := next((row for row in rows if row[key] == wanted), None):
            return found
    by_end = [row for row in rows if row["path"].casefold().endswith(f"/{wanted}".casefold())]
    by_case = [row for row in rows if row["path"].casefold() == wanted.casefold()]
    by_title = [row for row in rows for title in titles if (row[title] or "").casefold() == wanted.casefold()]
    for found_rows in (by_case, by_end, by_title):
        if len(found_rows) == 1:
            return found_rows[0]
        if found_rows:
            paths = ", ".join(row["path"] for row in found_rows[:NAMED])
            raise RetrievalError(f"{path!r} names {len(found_rows)} of the collection: {paths}; give more of the path")
    return _fail(kind, path, [row["path"] for row in rows])


def _exactly_one(called: list[tuple[str, dict[str, Any]]], name: str, fold: Callable[[str], str] = str) -> Row | None:
    found = {row["concept_id"]: row for alias, row in called if fold(alias) == fold(name.strip())}
    return next(iter(found.values())) if found else None


def _fail(kind: str, name: str, known: Iterable[str]) -> Row:
    names = list(known)
    folded = {each.casefold(): each for each in names}
    near = [folded[each] for each in difflib.get_close_matches(name.casefold(), folded, NAMED, 0.5)]
    near = near or [each for each in names if name.casefold() in each.casefold()][:NAMED]
    hint = (
        f"; did you mean {', '.join(near)}?" if near else f"; there are {len(names)}" if names else "; there are none"
    )
    raise RetrievalError(f"the collection has no {kind} {name!r}{hint}")
