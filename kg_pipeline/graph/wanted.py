"""What the graph shall hold: nodes and relationships of one collection, made from its tables."""

import json
from collections.abc import Mapping

import polars as pl

from kg_pipeline.concepts import usable_concepts
from kg_pipeline.graph.errors import GraphError
from kg_pipeline.graph.frames import Graph
from kg_pipeline.graph.model import EVIDENCE, FOREIGN_PLACES, NODES, RELATIONSHIPS, checked_name, is_foreign
from kg_pipeline.ids import stable_id
from kg_pipeline.reranking import with_model_reasons
from kg_pipeline.tables import TABLES
from kg_pipeline.verdicts import ACCEPTED, REJECTED, VERDICT_KEY, count_verdicts, current_verdicts

WANTED_TABLES = (
    "documents",
    "chunks",
    "embeddings",
    "images",
    "image_files",
    "image_texts",
    "concepts",
    "concept_mentions",
    "references",
    "visual_evidence",
    "edge_reasons",
    "verdicts",
    "orphan_images",
)
"""The tables a graph is made of."""

# Names, folders and what a manifest says belong to a place, not to the bytes: paths are in IN_COLLECTION.paths. An
# image shared by two collections would otherwise change its text with every run of either.
TEXT_SOURCES = ("description", "svg", "exif", "ocr")

# Scores of a GPU differ in the last digits between batches; four decimals keep such rows from being rewritten.
DECIMALS = 4


def wanted_graph(collection: str, tables: Mapping[str, pl.DataFrame]) -> Graph:
    """The graph of a collection from its tables (WANTED_TABLES; a missing one counts as empty).

    Relationships whose ends are not in the tables are left out and counted in `dangling`: they come from tables of
    different runs. Raises GraphError for a foreign label or key property that is not a plain name.
    """
    tables = {name: tables.get(name, TABLES[name].empty()) for name in WANTED_TABLES}
    tables["concepts"] = usable_concepts(tables["concepts"])
    nodes = {
        "Document": _documents(tables["documents"]),
        "Chunk": _chunks(tables["chunks"], tables["embeddings"]),
        "Image": _images(tables["images"], tables["image_texts"]),
        "Concept": _own(tables["concepts"]).select("name", "aliases", "description", id="concept_id"),
        "OrphanReport": _report(collection, tables),
    }
    chunks = tables["chunks"].join(_readable(tables["documents"]), on="document_id", how="semi")
    nodes["Chunk"] = nodes["Chunk"].join(chunks, left_on="id", right_on="chunk_id", how="semi")
    said = current_verdicts(tables["verdicts"], tables)
    accepted, rejected = said.filter(verdict=ACCEPTED), said.filter(verdict=REJECTED)
    kept = with_model_reasons(tables["visual_evidence"].filter(pl.col("kept")), tables["edge_reasons"])
    evidence = _without_rejected(kept, rejected)
    raw = {
        "FROM_DOCUMENT": _ends(chunks, ("Chunk", "chunk_id"), ("Document", "document_id")),
        "NEXT_CHUNK": _ends(_next(chunks), ("Chunk", "chunk_id"), ("Chunk", "next_id")),
        "FROM_CHUNK": _ends(
            tables["concept_mentions"].unique(["concept_id", "chunk_id"]),
            ("Concept", "concept_id"),
            ("Chunk", "chunk_id"),
        ),
        "IN_COLLECTION": _in_collection(collection, tables),
        "REFERENCES": _references(tables["references"]),
        "HAS_VISUAL_EVIDENCE": _evidence_of_texts(evidence, accepted),
        "ILLUSTRATES": _evidence_of_concepts(evidence, accepted),
        "REJECTED_EVIDENCE": _rejected(rejected),
        "LISTS": _listed(collection, tables["orphan_images"]),
    }
    known = _known_ends(collection, nodes, tables)
    edges, dangling = {}, {}
    for name, frame in raw.items():
        complete = _between_known(frame, known)
        edges[name] = _round(complete.unique(RELATIONSHIPS[name].key_columns, keep="first", maintain_order=True))
        if complete.height < frame.height:
            dangling[name] = frame.height - complete.height
    return Graph.of(nodes, edges, dangling)


def blocked_deletes(
    documents: pl.DataFrame, image_files: pl.DataFrame, concepts: pl.DataFrame | None = None
) -> str | None:
    """Why nothing may be deleted: a folder, archive, manifest or graph source that could not be read, else None."""
    if concepts is None:
        concepts = TABLES["concepts"].empty()
    whole = pl.col("format").is_in(["folder", "graph"]) & pl.col("key_value").is_null()
    unlisted = pl.concat(
        [
            documents.filter(whole & (pl.col("status") == "unreadable")).select("path", "error"),
            image_files.filter(pl.col("status") == "unlistable").select("path", "error"),
            concepts.filter(pl.col("status") == "unreadable").select("error", path="name").select("path", "error"),
        ]
    ).sort("path")
    if unlisted.is_empty():
        return None
    path, error = unlisted.row(0)
    more = f" and {unlisted.height - 1} more" if unlisted.height > 1 else ""
    return f"could not be listed: {path}{more} ({error})"


# --- nodes


def _documents(documents: pl.DataFrame) -> pl.DataFrame:
    return _own(_readable(documents)).select("title", "uri", "path", "format", "language", "sha256", id="document_id")


def _readable(documents: pl.DataFrame) -> pl.DataFrame:
    return documents.filter(pl.col("status").is_in(["ok", "stale"]), pl.col("format") != "folder")


def _chunks(chunks: pl.DataFrame, embeddings: pl.DataFrame) -> pl.DataFrame:
    heading = pl.col("heading_path").list.join(" > ")
    heading = pl.when(heading != "").then(heading)
    rows = chunks.join(embeddings.select("text_sha256", embedding="vector"), on="text_sha256", how="left")
    return rows.select("text", "index", "line_start", "line_end", "page", "embedding", id="chunk_id", heading=heading)


def _images(images: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    priority = pl.col("source").replace_strict(list(TEXT_SOURCES), range(len(TEXT_SOURCES)), return_dtype=pl.Int64)
    joined = (
        texts.filter(pl.col("source").is_in(TEXT_SOURCES))
        .with_columns(priority=priority)
        .sort("image_id", "priority", maintain_order=True)
        .group_by("image_id", maintain_order=True)
        .agg(text=pl.col("text").str.join("\n"))
    )
    return images.join(joined, on="image_id", how="left").select("format", "width", "height", "text", id="image_id")


def _report(collection: str, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    counts = dict(tables["orphan_images"].group_by("reason").len().sort("reason").rows())
    verdicts = count_verdicts(tables["verdicts"], tables)
    return pl.DataFrame(
        {
            "id": [_report_id(collection)],
            "counts": [json.dumps(counts)],
            **{f"verdicts_{said}": [count] for said, count in verdicts.items()},
        }
    )


def _report_id(collection: str) -> str:
    return stable_id(collection, "orphan report")


def _own(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("owned").fill_null(True))


# --- relationships


def _end(side: str, label: str, column: str) -> dict[str, pl.Expr]:
    return {f"{side}_label": pl.lit(label), f"{side}_key": pl.lit("id"), side: pl.col(column)}


def _ends(frame: pl.DataFrame, start: tuple[str, str], end: tuple[str, str], *properties: str) -> pl.DataFrame:
    """Relationships from `frame`: label and column of both ends, and the columns to keep as properties."""
    return frame.select(*properties, **_end("start", *start), **_end("end", *end))


def _next(chunks: pl.DataFrame) -> pl.DataFrame:
    ordered = chunks.sort("document_id", "index")
    return ordered.with_columns(next_id=pl.col("chunk_id").shift(-1).over("document_id")).drop_nulls("next_id")


def _in_collection(collection: str, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    files = tables["image_files"].drop_nulls("image_id").sort("path").group_by("image_id")
    orphans = tables["orphan_images"].drop_nulls("image_id").sort("path").group_by("image_id")
    images = (
        tables["images"]
        .select("image_id")
        .join(files.agg(paths=pl.col("path"), uri=pl.coalesce("origin", "uri").first()), on="image_id", how="left")
        .join(orphans.agg(orphan_reason=pl.col("reason").first()), on="image_id", how="left")
        .with_columns(collection=pl.lit(collection))
    )
    concepts = _own(tables["concepts"]).select("concept_id").with_columns(collection=pl.lit(collection))
    return pl.concat(
        [
            _ends(images, ("Image", "image_id"), ("Collection", "collection"), "paths", "uri", "orphan_reason"),
            _ends(concepts, ("Concept", "concept_id"), ("Collection", "collection")),
        ],
        how="diagonal",
    )


def _references(references: pl.DataFrame) -> pl.DataFrame:
    # `line` and `target` tell two embeddings of one image in one passage apart, and MERGE refuses null there.
    embedded = references.filter(pl.col("status") == "ok").with_columns(
        pl.col("line").fill_null(0), pl.col("target").fill_null("")
    )
    embedded = embedded.drop_nulls(["image_id"])
    return _ends(embedded, ("Chunk", "chunk_id"), ("Image", "image_id"), "line", "target", "alt", "caption")


def _without_rejected(evidence: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """A verdict may have been given after the evidence was judged; the next run finds another best passage."""
    passages = rejected.filter(text_kind="chunk").select("image_id", best_chunk_id="text_id")
    of_documents = pl.col("text_kind") == "document"
    return pl.concat(
        [
            evidence.filter(~of_documents).join(rejected, on=VERDICT_KEY, how="anti"),
            evidence.filter(of_documents).join(passages, on=["image_id", "best_chunk_id"], how="anti"),
        ]
    )


def _evidence_of_texts(evidence: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    rows = _with_verdict(evidence.filter(pl.col("text_kind").is_in(["chunk", "document"])), accepted)
    passages = rows.filter(pl.col("text_kind") == "chunk")
    documents = rows.filter(pl.col("text_kind") == "document").with_columns(best_chunk=pl.col("best_chunk_id"))
    return pl.concat(
        [
            _ends(passages, ("Chunk", "text_id"), ("Image", "image_id"), *EVIDENCE),
            _ends(documents, ("Document", "text_id"), ("Image", "image_id"), *EVIDENCE, "best_chunk"),
        ],
        how="diagonal",
    )


def _evidence_of_concepts(evidence: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    rows = _with_verdict(evidence.filter(pl.col("text_kind") == "concept"), accepted)
    return _ends(rows, ("Image", "image_id"), ("Concept", "text_id"), *EVIDENCE)


def _with_verdict(evidence: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    joined = evidence.join(accepted.select(*VERDICT_KEY, "verdict"), on=VERDICT_KEY, how="left", maintain_order="left")
    return joined.with_columns(verdict_synced=pl.col("verdict"))


def _rejected(rejected: pl.DataFrame) -> pl.DataFrame:
    passages, concepts = rejected.filter(text_kind="chunk"), rejected.filter(text_kind="concept")
    return pl.concat(
        [
            _ends(passages, ("Chunk", "text_id"), ("Image", "image_id"), "by", "at"),
            _ends(concepts, ("Concept", "text_id"), ("Image", "image_id"), "by", "at"),
        ]
    )


def _listed(collection: str, orphans: pl.DataFrame) -> pl.DataFrame:
    suggestion = pl.when(pl.col("suggestion_rank").is_not_null()).then(pl.col("best_chunk_id"))
    listed = orphans.drop_nulls("image_id").sort("path").unique("image_id", keep="first", maintain_order=True)
    listed = listed.with_columns(suggestion=suggestion, report=pl.lit(_report_id(collection)))
    return _ends(listed, ("OrphanReport", "report"), ("Image", "image_id"), "reason", "suggestion")


# --- ends


def _known_ends(collection: str, nodes: Mapping[str, pl.DataFrame], tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """label, id → label, key property and key in the graph; foreign nodes stand under their own label there."""
    own = [
        frame.select(label=pl.lit(label), id="id", to_label=pl.lit(label), to_key=pl.lit("id"), to="id")
        for label, frame in nodes.items()
    ]
    own.append(
        pl.DataFrame(
            {"label": "Collection", "id": collection, "to_label": "Collection", "to_key": "id", "to": collection}
        )
    )
    elsewhere = [
        _foreign("Concept", "concept_id", tables["concepts"]),
        _foreign("Document", "document_id", _readable(tables["documents"])),
    ]
    return pl.concat([*own, *elsewhere]).unique(["label", "id"], keep="first", maintain_order=True)


def _foreign(label: str, id_column: str, rows: pl.DataFrame) -> pl.DataFrame:
    foreign = rows.filter(~pl.col("owned").fill_null(True)).drop_nulls(["node_label", "key_property", "key_value"])
    for theirs, key in foreign.select("node_label", "key_property").unique().sort(pl.all()).rows():
        checked_name(key)
        if checked_name(theirs) in NODES and (theirs not in FOREIGN_PLACES or not is_foreign(theirs, key)):
            raise GraphError(
                f"node_label {theirs!r} with the key {key!r} would name nodes that this pipeline writes itself: "
                "name that of your nodes, with a key of theirs"
            )
    return foreign.select(
        label=pl.lit(label), id=id_column, to_label="node_label", to_key="key_property", to="key_value"
    )


def _between_known(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    for side in ("start", "end"):
        own = [f"{side}_label", f"{side}_key", side]
        frame = frame.join(known, left_on=[f"{side}_label", side], right_on=["label", "id"], maintain_order="left")
        frame = frame.drop(own).rename({"to_label": own[0], "to_key": own[1], "to": own[2]})
    return frame


def _round(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.selectors.float().round(DECIMALS))
