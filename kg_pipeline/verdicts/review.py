"""Giving, taking back and listing verdicts by the names people know: the path of a picture, the id of a text."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

import polars as pl

from kg_pipeline.concepts import concept_texts
from kg_pipeline.ids import sha256_file
from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts.current import JUDGED_TABLES, resolved
from kg_pipeline.verdicts.errors import VerdictError

NAMED = 3
"""Near misses that a message names."""
EXCERPT = 60

_PAIR = list(TABLES["verdicts"].key)


@dataclass(frozen=True)
class Review:
    """A pair that was judged, in words, and what was said of it before."""

    image: str
    text: str
    before: tuple[tuple[str, str], ...]
    """Verdict and who gave it, of each row that was replaced or cleared."""


def give_verdict(
    store: TableStore, collection: str, image: str, text: str, verdict: str, by: str, at: datetime
) -> Review:
    """Write a verdict to table verdicts at once; it replaces what was said of the pair before.

    `image`: a `path` of image_files, an image_id, or the path of a file on disk. `text`: a chunk_id or concept_id.
    Raises VerdictError, StorageError.
    """
    tables = _read(store, collection)
    image_id, path = _find_image(tables, image)
    found = _find_text(tables, text)
    row = {**found.key, "image_id": image_id, "verdict": verdict, "by": by, "at": at}
    before = _replace(store, collection, tables, image_id, found.text_id, TABLES["verdicts"].rows([row]))
    return Review(path, found.name, before)


def clear_verdict(store: TableStore, collection: str, image: str, text: str) -> Review:
    """Take back what was said of the pair. Raises VerdictError, also when nothing was said; StorageError."""
    tables = _read(store, collection)
    image_id, path = _find_image(tables, image)
    found = _find_text(tables, text)
    before = _replace(store, collection, tables, image_id, found.text_id, TABLES["verdicts"].empty())
    if not before:
        raise VerdictError(
            f"nobody has judged {path} with {found.name}; `kg-pipeline review list --collection {collection}` lists "
            "all verdicts"
        )
    return Review(path, found.name, before)


def list_verdicts(store: TableStore, collection: str) -> pl.DataFrame:
    """verdict, image (its first path), text_kind, text_id, document, text (its beginning), by, at; newest first.

    `text_id` is null where the image or the text is gone. Raises StorageError.
    """
    tables = _read(store, collection)
    verdicts = store.read("verdicts", collection)
    holding = resolved(verdicts, tables).unique(_PAIR, keep="first", maintain_order=True).select(*_PAIR, "text_id")
    texts = pl.concat(
        [
            tables["chunks"].select("text", "document_id", text_id="chunk_id"),
            concept_texts(tables["concepts"]).select("text", document_id=pl.lit(None, pl.String), text_id="concept_id"),
        ]
    ).rename({"document_id": "in_document"})
    paths = tables["documents"].select(in_document="document_id", document="path")
    return (
        verdicts.join(holding, on=_PAIR, how="left")
        .join(texts, on="text_id", how="left")
        .join(paths, on="in_document", how="left")
        .join(tables["images"].select("image_id", image="path"), on="image_id", how="left")
        .sort(["at", *_PAIR], descending=[True] + [False] * len(_PAIR))
        .select(
            "verdict",
            pl.col("image").fill_null(pl.col("image_id")),
            "text_kind",
            "text_id",
            "document",
            pl.col("text").map_elements(_excerpt, pl.String),
            "by",
            "at",
        )
    )


def _read(store: TableStore, collection: str) -> dict[str, pl.DataFrame]:
    return {name: store.scan(name, collection).collect() for name in (*JUDGED_TABLES, "image_files")}


def _replace(
    store: TableStore,
    collection: str,
    tables: Mapping[str, pl.DataFrame],
    image_id: str,
    text_id: str,
    rows: pl.DataFrame,
) -> tuple[tuple[str, str], ...]:
    """Put `rows` in the place of all verdicts that hold for the pair today; what those said."""
    before: list[tuple[str, str]] = []

    def change(verdicts: pl.DataFrame) -> pl.DataFrame:
        holding = resolved(verdicts, tables).filter(pl.col("image_id") == image_id, pl.col("text_id") == text_id)
        before.extend(holding.select("verdict", "by").rows())
        rest = verdicts.join(holding, on=_PAIR, how="anti")
        return pl.concat([rest, rows])

    store.update("verdicts", collection, change)
    return tuple(before)


# --- the picture


def _find_image(tables: Mapping[str, pl.DataFrame], given: str) -> tuple[str, str]:
    """image_id and path of the picture that `given` names."""
    files = tables["image_files"].filter(pl.col("status") != "unlistable").sort("path")
    found = files.filter((pl.col("path") == given) | (pl.col("image_id") == given))
    if found.is_empty():
        found = _on_disk(files, Path(given).expanduser())
    if found.is_empty():
        near = _near(given, files["path"].to_list())
        raise VerdictError(
            f"no image of the collection is called {given!r}"
            + (f"; did you mean {' or '.join(near)}?" if near else "")
            + " Give a path as in table image_files, an image_id, or the path of the file"
        )
    path, image_id, error = found.select("path", "image_id", "error").row(0)
    if image_id is None:
        raise VerdictError(f"{path} could not be read ({error}), so there is no picture to judge")
    return image_id, path


def _on_disk(files: pl.DataFrame, given: Path) -> pl.DataFrame:
    """The row of a file that lies on this disk; of a copy that lies elsewhere, the row with the same bytes."""
    if not given.is_file():
        return files.clear()
    uris = {given.absolute().as_uri(), given.resolve().as_uri()}
    found = files.filter(pl.col("uri").is_in(uris))
    return found if len(found) else files.filter(pl.col("image_id") == sha256_file(given))


def _near(given: str, paths: list[str]) -> list[str]:
    name = PurePosixPath(given).name.casefold()
    same = [path for path in paths if PurePosixPath(path).name.casefold() == name]
    return (same or difflib.get_close_matches(given, paths, NAMED))[:NAMED]


# --- the text


@dataclass(frozen=True)
class _Text:
    text_id: str
    name: str
    key: Mapping[str, str]
    """text_kind, document_id, text_sha256 of table verdicts."""


def _find_text(tables: Mapping[str, pl.DataFrame], given: str) -> _Text:
    documents = tables["documents"].select("document_id", "path")
    passages = tables["chunks"].join(documents, on="document_id", how="left").sort("document_id", "index")
    concepts = concept_texts(tables["concepts"])
    for document_id, path, text, sha256 in (
        passages.filter(pl.col("chunk_id") == given).select("document_id", "path", "text", "text_sha256").rows()
    ):
        key = {"text_kind": "chunk", "document_id": document_id, "text_sha256": sha256}
        return _Text(given, f"the passage “{_excerpt(text)}” of {path}", key)
    for text, sha256 in concepts.filter(pl.col("concept_id") == given).select("text", "text_sha256").rows():
        key = {"text_kind": "concept", "document_id": given, "text_sha256": sha256}
        return _Text(given, f"the concept “{_excerpt(text)}”", key)
    raise VerdictError(_no_text(given, passages, concepts))


def _no_text(given: str, passages: pl.DataFrame, concepts: pl.DataFrame) -> str:
    document = passages.filter((pl.col("document_id") == given) | (pl.col("path") == given))
    if len(document):
        there = ", ".join(f"{chunk} (“{_excerpt(text)}”)" for chunk, text in _first(document))
        return f"{given!r} is a document; a verdict is on one of its passages, for example {there}"
    texts = pl.concat(
        [passages.select(text_id="chunk_id", text="text"), concepts.select(text_id="concept_id", text="text")]
    )
    ids = texts["text_id"].to_list()
    begun = [text_id for text_id in ids if given and text_id.startswith(given)]
    near = (begun or difflib.get_close_matches(given, ids, NAMED, cutoff=0.7))[:NAMED]
    meant = texts.filter(pl.col("text_id").is_in(near)).head(NAMED).rows()
    hint = " or ".join(f"{text_id} (“{_excerpt(text)}”)" for text_id, text in meant)
    return (
        f"no passage or concept of the collection has the id {given!r}"
        + (f"; did you mean {hint}?" if hint else ".")
        + " Ids are in the tables chunks and concepts, and `id` of the nodes in the graph"
    )


def _first(document: pl.DataFrame) -> list[tuple[str, str]]:
    return document.select("chunk_id", "text").head(NAMED).rows()


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= EXCERPT else flat[: EXCERPT - 1] + "…"
