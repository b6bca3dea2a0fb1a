"""Tables of a small made-up collection for the graph tests."""

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from kg_pipeline.ids import chunk_id, document_id, sha256_text
from kg_pipeline.tables import TABLES

# What a careless writer of Cypher or CSV stumbles over.
NASTY = 'it\'s "quoted" `ticked` \\ {braces} $dollar\nnew line\ttab 图像 😀'

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)


def image_id(name: str) -> str:
    """Id of the made-up image of that name; the same in every collection."""
    return sha256_text(f"bytes of {name}")


def concept_id(name: str) -> str:
    """Id of the made-up concept of that name."""
    return sha256_text(f"concept {name}")[:32]


def passage(document: str, number: int) -> str:
    """Text of a made-up passage."""
    return f"Passage {number} of {document}: {NASTY}"


def passage_id(collection: str, document: str, number: int) -> str:
    """Its chunk id."""
    return chunk_id(document_id(collection, document), sha256_text(passage(document, number)), 0)


def tables_of(
    collection: str = "test",
    *,
    documents: Mapping[str, int] = {"a.md": 2, "b.md": 1},
    images: tuple[str, ...] = ("pump", "valve", "logo"),
    references: tuple[tuple[str, int, str], ...] = (("a.md", 0, "pump"), ("a.md", 0, "pump"), ("b.md", 0, "logo")),
    evidence: tuple[tuple[str, int, str, float], ...] = (("a.md", 0, "pump", 9.0), ("a.md", 1, "valve", 7.5)),
    concepts: tuple[str, ...] = ("Pump",),
    rejected: tuple[tuple[str, int, str], ...] = (("b.md", 0, "logo"),),
    accepted: tuple[tuple[str, int, str], ...] = (),
) -> dict[str, pl.DataFrame]:
    """All tables a graph is made of. `references`, `rejected`: document, passage, image; `evidence`: and a score."""
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES}
    for path, passages in documents.items():
        doc = document_id(collection, path)
        rows["documents"].append(
            {"document_id": doc, "path": path, "uri": f"file:///{path}", "format": "markdown",
             "title": f"Title {NASTY}", "language": "en", "sha256": sha256_text(path), "bytes": 10, "status": "ok"}
        )  # fmt: skip
        for number in range(passages):
            text = passage(path, number)
            rows["chunks"].append(
                {"chunk_id": passage_id(collection, path, number), "document_id": doc, "index": number,
                 "heading_path": ["Guide", f"Part {number}"] if number else [], "text": text,
                 "text_sha256": sha256_text(text), "line_start": number * 10 + 1, "line_end": number * 10 + 10}
            )  # fmt: skip
    for name in images:
        path = f"img/{name}.png"
        rows["image_files"].append({"path": path, "uri": f"file:///{path}", "image_id": image_id(name), "status": "ok"})
        rows["images"].append(
            {"image_id": image_id(name), "path": path, "width": 10, "height": 20, "format": "PNG", "role": "content"}
        )
        rows["image_texts"].append({"image_id": image_id(name), "source": "ocr", "text": f"read in {name}"})
        rows["image_texts"].append({"image_id": image_id(name), "source": "name", "text": name})
    for line, (path, number, name) in enumerate(references, start=1):
        rows["references"].append(
            {"document_id": document_id(collection, path), "document_path": path, "line": line, "kind": "md_image",
             "chunk_id": passage_id(collection, path, number), "target": f"img/{name}.png", "alt": NASTY,
             "status": "ok", "image_path": f"img/{name}.png", "image_id": image_id(name), "resolution": "exact"}
        )  # fmt: skip
    for name in concepts:
        rows["concepts"].append(
            {"concept_id": concept_id(name), "name": name, "aliases": [], "source": "glossary", "owned": True}
        )
        rows["concept_mentions"] += [
            {"concept_id": concept_id(name), "chunk_id": row["chunk_id"], "alias": alias}
            for row in rows["chunks"]
            for alias in (name, name.lower())
        ]
    for path, number, name, score in evidence:
        passage_key = passage_id(collection, path, number)
        doc = document_id(collection, path)
        rows["visual_evidence"].append(_evidence(name, "chunk", passage_key, doc, score))
        rows["visual_evidence"].append(_evidence(name, "document", doc, doc, score) | {"best_chunk_id": passage_key})
    for name in concepts:
        rows["visual_evidence"] += [_evidence(image, "concept", concept_id(name), None, 6.0) for image in images[:1]]
    if evidence:
        rows["visual_evidence"].append(rows["visual_evidence"][0] | {"rank": 9, "kept": False, "image_id": "x" * 64})
    for verdict, judged in (("rejected", rejected), ("accepted", accepted)):
        rows["verdicts"] += [
            {"image_id": image_id(name), "text_kind": "chunk", "document_id": document_id(collection, path),
             "text_sha256": sha256_text(passage(path, number)), "verdict": verdict, "by": "Zoë", "at": AT}
            for path, number, name in judged
        ]  # fmt: skip
    shown = {name for _, _, name in references}
    rows["orphan_images"] = [
        {"path": f"img/{name}.png", "image_id": image_id(name), "reason": "unreferenced_matched", "suggestion_rank": 1,
         "best_chunk_id": "some passage"}
        for name in images if name not in shown
    ]  # fmt: skip
    return {name: TABLES[name].rows(found) for name, found in rows.items()}


def _evidence(image: str, kind: str, text: str, document: str | None, score: float) -> dict[str, object]:
    return {
        "type": "ILLUSTRATES" if kind == "concept" else "HAS_VISUAL_EVIDENCE", "image_id": image_id(image),
        "text_kind": kind, "text_id": text, "document_id": document, "log_odds": score / 3, "score": score,
        "confidence": score / 10, "confidence_source": "score", "rank": 1, "strategies": ["lexical", "proximity"],
        "scorer": "evidence-1", "kept": True, "reason": f"Score: {score:.1f} — {NASTY}", "margin": None,
    }  # fmt: skip
