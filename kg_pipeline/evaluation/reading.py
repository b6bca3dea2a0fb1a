"""A collection read for evaluation: as a run reads it, but nothing of it is written."""

from pathlib import Path

from kg_pipeline.candidates import Corpus
from kg_pipeline.concepts import read_concepts, usable_concepts
from kg_pipeline.config import Collection
from kg_pipeline.descriptions import describe_collection
from kg_pipeline.documents import DocumentTables, list_embedded, read_documents
from kg_pipeline.graph_nodes import ReadNodes, no_graph
from kg_pipeline.images import InventoryTables, fetch_pictures, read_image_texts, read_inventory
from kg_pipeline.storage import TableStore


def read_corpus(collection: Collection, home: Path, read_nodes: ReadNodes = no_graph) -> Corpus:
    """The tables of a collection from its files, in memory. Raises what reading raises.

    The tables of an earlier run in `home` spare the reading of unchanged pictures, and its caches OCR and
    descriptions, which are filled here as well. `hide_references` is left out of account: all references are needed
    as truth.
    """
    collection, store = collection.model_copy(update={"hide_references": None}), TableStore(home)
    before = InventoryTables(*(store.read(name, collection.name) for name in InventoryTables._fields))
    shelf, ocr_cache, stores = home / "cache" / "documents", home / "cache" / "ocr", home / "cache" / "stores"
    remote = fetch_pictures(collection, stores).listed
    inventory = read_inventory(collection, before, embedded=list_embedded(collection, shelf), remote=remote)
    parsed = DocumentTables(*(store.read(name, collection.name) for name in DocumentTables._fields))
    documents = read_documents(collection, inventory.image_files, parsed, read_nodes, shelf, ocr_cache)
    known = store.read("concepts", collection.name)
    concepts = read_concepts(collection, documents.documents, documents.chunks, known, read_nodes)
    descriptions, _ = describe_collection(collection, inventory, home / "cache" / "descriptions")
    texts = read_image_texts(collection, inventory, ocr_cache, descriptions=descriptions, stores=stores)
    return Corpus(
        documents=documents.documents,
        chunks=documents.chunks,
        references=documents.references,
        image_files=inventory.image_files,
        images=inventory.images,
        image_texts=texts,
        concepts=usable_concepts(concepts.concepts),
        concept_mentions=concepts.concept_mentions,
        embeddings=store.read("embeddings", collection.name),
    )
