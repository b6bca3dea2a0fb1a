"""Vectors of passages and of the words of pictures: for blocking, and for those who search the graph by meaning."""

from dataclasses import asdict

import dagster as dg
import polars as pl

from kg_pipeline.candidates import picture_texts, read_image_words
from kg_pipeline.config import Settings
from kg_pipeline.embedding import EndpointEmbedder, embed_texts
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.progress import logged_progress
from kg_pipeline.orchestration.table_assets import table_asset
from kg_pipeline.tables import TABLES
from resources.collections import Collections
from resources.tables import Tables


@dg.asset(**table_asset("embeddings"), **by_collection, group_name="ingestion")
def embeddings(
    context: dg.AssetExecutionContext,
    collections: Collections,
    tables: Tables,
    chunks: pl.LazyFrame,
    image_files: pl.LazyFrame,
    images: pl.LazyFrame,
    image_texts: pl.LazyFrame,
) -> pl.DataFrame:
    """Ask the collection's embedding server for what is not in the cache."""
    section = collections.get(context.partition_key).embeddings
    if section is None:
        return TABLES["embeddings"].empty()
    embedder = EndpointEmbedder(section, Settings().embedding_api_key)
    pictures = read_image_words(image_files.collect(), images.collect(), image_texts.collect())
    texts = pl.concat(part.select("text_sha256", "text") for part in (chunks.collect(), picture_texts(pictures)))
    with logged_progress(context):
        vectors, report = embed_texts(embedder, tables.embedding_cache(), texts)
    context.add_output_metadata({"embedder": embedder.fingerprint, **asdict(report)})
    return vectors
