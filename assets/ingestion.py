"""From files to tables: images, documents, the text in images, concepts, and what people said of pairs."""

from dataclasses import asdict
from typing import Any

import dagster as dg
import polars as pl

from kg_pipeline.concepts import read_concepts
from kg_pipeline.config import Collection
from kg_pipeline.descriptions import describe_collection
from kg_pipeline.documents import DocumentTables, list_embedded, read_documents
from kg_pipeline.graph import take_over_verdicts
from kg_pipeline.images import InventoryTables, fetch_pictures, read_image_texts, read_inventory, thumbnail
from kg_pipeline.orchestration.io_manager import known_table, table_version
from kg_pipeline.orchestration.metadata import THUMBNAIL_CHARACTERS, THUMBNAIL_SIDE, sample, table_metadata
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from kg_pipeline.orchestration.table_assets import table_asset, table_outs
from kg_pipeline.storage import row_changes
from kg_pipeline.tables import TABLES
from resources.collections import Collections
from resources.graph import Graph
from resources.tables import Tables

THUMBNAILS = 6

placed: dict[str, Any] = {**by_collection, "group_name": "ingestion"}


@dg.multi_asset(outs=table_outs("image_files", "images"), **placed)
def image_inventory(
    context: dg.AssetExecutionContext, collections: Collections, tables: Tables
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """List, identify and compare the image files of a collection."""
    collection, store = collections.get(context.partition_key), tables.store()
    previous = InventoryTables(*(store.read(name, collection.name) for name in InventoryTables._fields))
    with logged_progress(context):
        embedded = list_embedded(collection, tables.document_shelf())
        remote = fetch_pictures(collection, tables.store_cache())
        inventory = read_inventory(collection, previous, embedded=embedded, remote=remote.listed)
    if any(entry.asks_servers for entry in collection.images):
        context.log.info("stores: %s", remote.report.said())
        costs = {f"stores/{name}": value for name, value in asdict(remote.report).items()}
        context.add_output_metadata(costs, "image_files")
    context.add_output_metadata(_by_status(inventory.image_files), "image_files")
    context.add_output_metadata(
        {"thumbnails": _thumbnails(inventory, collection)} if len(inventory.images) else {}, "images"
    )
    return inventory


@dg.multi_asset(outs=table_outs("documents", "chunks", "references"), **placed)
def parsed_documents(
    context: dg.AssetExecutionContext, collections: Collections, tables: Tables, graph: Graph, image_files: pl.LazyFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Parse the documents into passages and resolve their references to images."""
    collection, store = collections.get(context.partition_key), tables.store()
    previous = DocumentTables(*(store.read(name, collection.name) for name in DocumentTables._fields))
    with logged_progress(context), graph.read_nodes() as read_nodes:
        parsed = read_documents(
            collection, image_files.collect(), previous, read_nodes, tables.document_shelf(), tables.ocr_cache()
        )
    context.add_output_metadata(_by_status(parsed.documents), "documents")
    context.add_output_metadata(_by_status(parsed.references), "references")
    return parsed


@dg.asset(**table_asset("image_descriptions"), **placed, pool="gpu")
def image_descriptions(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    image_files: pl.LazyFrame,
    images: pl.LazyFrame,
) -> pl.DataFrame:
    """Ask the collection's describer, where it names one, about the pictures that are not in the cache."""
    inventory = InventoryTables(image_files.collect(), images.collect())
    with logged_progress(context):
        descriptions, report = describe_collection(
            collections.get(context.partition_key), inventory, tables.description_cache()
        )
    context.add_output_metadata(asdict(report))
    return descriptions


@dg.asset(**table_asset("image_texts"), **placed)
def image_texts(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    image_files: pl.LazyFrame,
    images: pl.LazyFrame,
    image_descriptions: pl.LazyFrame,
) -> pl.DataFrame:
    """Names, OCR lines, SVG text, EXIF and descriptions of the images."""
    collection, inventory = (
        collections.get(context.partition_key),
        InventoryTables(image_files.collect(), images.collect()),
    )
    with logged_progress(context):
        return read_image_texts(
            collection,
            inventory,
            tables.ocr_cache(),
            descriptions=image_descriptions.collect(),
            stores=tables.store_cache(),
        )


@dg.multi_asset(outs=table_outs("concepts", "concept_mentions"), **placed)
def found_concepts(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    graph: Graph,
    documents: pl.LazyFrame,
    chunks: pl.LazyFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read graph sources, glossary and headings, and find where the passages name them."""
    collection = collections.get(context.partition_key)
    previous = tables.store().read("concepts", collection.name)
    with graph.read_nodes() as read_nodes:
        found = read_concepts(collection, documents.collect(), chunks.collect(), previous, read_nodes)
    context.add_output_metadata(_by_status(found.concepts), "concepts")
    return found


@dg.asset(**table_asset("verdicts"), **placed, deps=["documents", "concepts"])
def verdicts(context: dg.AssetExecutionContext, tables: Tables, graph: Graph) -> dg.MaterializeResult:
    """Verdicts given before, and those that people set as a property in the graph since.

    Not written by the IO manager but as an update: `kg-pipeline review` may write to the table at the same time.
    """
    collection, store = context.partition_key, tables.store()
    before = known_table(store, "verdicts", collection)
    if graph.enabled:
        with graph.connect() as connection:
            rows = take_over_verdicts(connection, collection, store)
    else:
        rows = store.update("verdicts", collection, lambda known: known)
    path = store.path("verdicts", collection)
    changes = row_changes(TABLES["verdicts"], before, rows) if before is not None else None
    return dg.MaterializeResult(
        metadata={**table_metadata(path, rows, changes), "sample": sample(rows)}, data_version=table_version(path)
    )


def _by_status(frame: pl.DataFrame) -> dict[str, int]:
    counts = frame.group_by("status").len().sort("status")
    return {f"status/{status}": count for status, count in counts.iter_rows()}


def _thumbnails(inventory: InventoryTables, collection: Collection) -> dg.MarkdownMetadataValue:
    if not collection.show_content_in_metadata:
        return dg.MetadataValue.md("not shown: `show_content_in_metadata` of the collection is off")
    files = inventory.images.join(inventory.image_files, on="path").head(THUMBNAILS)
    pictures = [
        (path, thumbnail(uri, collection.limits, THUMBNAIL_SIDE))
        for path, uri in files.select("path", "uri").iter_rows()
    ]
    small = [(path, picture) for path, picture in pictures if picture and len(picture) <= THUMBNAIL_CHARACTERS]
    return dg.MetadataValue.md(" ".join(f"![{path}]({picture})" for path, picture in small))
