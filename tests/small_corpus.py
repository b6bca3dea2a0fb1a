"""Corpora of a few passages and pictures, written down in a test."""

from collections.abc import Mapping, Sequence

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.tokens import cjk_share
from kg_pipeline.concepts import find_mentions
from kg_pipeline.concepts.reading import concept_id
from kg_pipeline.ids import chunk_id, document_id, sha256_text
from kg_pipeline.tables import TABLES


def image_id(name: str) -> str:
    """Id of the picture at this path, or of these bytes."""
    return sha256_text(name)


def small_corpus(
    documents: Mapping[str, Sequence[str]],
    images: Mapping[str, Sequence[str]],
    references: Sequence[tuple[str, int, str]] = (),
    glossary: Mapping[str, Sequence[str]] | None = None,
    same_bytes: Mapping[str, str] | None = None,
    statuses: Mapping[str, str] | None = None,
    decorative: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> Corpus:
    """A corpus.

    documents: path → passages; a first line that begins with `#` is the heading. images: path → lines read in the
    picture. references: document path, number of the passage, image path. glossary: name → aliases. same_bytes: path →
    path of the picture it is a copy of. statuses, kinds: image path → status, kind of its references.
    """
    of_path = {path: image_id((same_bytes or {}).get(path, path)) for path in images}
    document_rows, chunk_rows = [], []
    for path, passages in documents.items():
        titles = [text.splitlines()[0].lstrip("# ") for text in passages if text.startswith("#")]
        document_rows.append(
            {
                "document_id": document_id("test", path),
                "path": path,
                "title": titles[0] if titles else path,
                "language": "zh" if cjk_share("\n".join(passages)) > 0.3 else "en",
                "status": "ok",
            }
        )
        heading: list[str] = []
        for index, text in enumerate(passages):
            heading = [text.splitlines()[0].lstrip("# ")] if text.startswith("#") else heading
            chunk_rows.append(
                {
                    "chunk_id": chunk_of(path, index, documents),
                    "document_id": document_id("test", path),
                    "index": index,
                    "heading_path": heading,
                    "text": text,
                    "text_sha256": sha256_text(text),
                }
            )
    reference_rows = [
        {
            "document_id": document_id("test", path),
            "chunk_id": chunk_of(path, index, documents),
            "line": 1,
            "kind": (kinds or {}).get(image, "md_image"),
            "alt": "an alternative text that must not matter",
            "status": (statuses or {}).get(image, "ok"),
            "image_path": image,
            "image_id": of_path[image],
        }
        for path, index, image in references
    ]
    concept_rows = [
        {"concept_id": concept_id(name), "name": name, "aliases": list(aliases), "source": "glossary", "owned": True}
        for name, aliases in (glossary or {}).items()
    ]
    chunks, concepts = TABLES["chunks"].rows(chunk_rows), TABLES["concepts"].rows(concept_rows)
    image_rows = {
        of_path[path]: {
            "image_id": of_path[path],
            "path": path,
            "width": 640,
            "height": 480,
            "role": "decorative" if path in decorative else "content",
            "decorative_reason": "a spacer" if path in decorative else None,
        }
        for path in sorted(images, reverse=True)
    }
    return Corpus(
        documents=TABLES["documents"].rows(document_rows),
        chunks=chunks,
        references=TABLES["references"].rows(reference_rows),
        image_files=TABLES["image_files"].rows(
            [{"path": path, "image_id": of_path[path], "status": "ok"} for path in images]
        ),
        images=TABLES["images"].rows(list(image_rows.values())),
        image_texts=TABLES["image_texts"].rows(
            [
                {"image_id": of_path[path], "source": "ocr", "text": line, "confidence": 0.9}
                for path, lines in images.items()
                for line in lines
            ]
        ),
        concepts=concepts,
        concept_mentions=TABLES["concept_mentions"].conform(find_mentions(concepts, chunks, "chunk_id")),
    )


def chunk_of(path: str, index: int, documents: Mapping[str, Sequence[str]]) -> str:
    """chunk_id of a passage."""
    text = documents[path][index]
    return chunk_id(document_id("test", path), sha256_text(text), list(documents[path][:index]).count(text))


def best(pairs: pl.DataFrame, image: str, kind: str = "chunk") -> str:
    """text_id of the pair of the image at position 1."""
    return pairs.filter(image_id=image_id(image), text_kind=kind, position=1)["text_id"].item()
