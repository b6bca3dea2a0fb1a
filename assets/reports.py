"""Images that nothing uses, as a table and as a gallery."""

from functools import cache

import dagster as dg
import polars as pl

from kg_pipeline.images import thumbnail
from kg_pipeline.orchestration.metadata import page_metadata, served_view
from kg_pipeline.orchestration.partitions import by_collection
from kg_pipeline.orchestration.table_assets import expected_nightly, table_asset
from kg_pipeline.orphans import find_orphans
from kg_pipeline.reports import (
    TABLES_SHOWN,
    is_scored_without_pixels,
    pictures_without_text,
    write_edges,
    write_gallery,
)
from resources.collections import Collections
from resources.tables import Tables

THUMBNAIL_SIDE = 160
NAMED = 10
"""Pictures that metadata names; the gallery names all."""


@dg.asset(
    **table_asset("orphan_images"),
    **by_collection,
    group_name="reports",
    freshness_policy=expected_nightly,
    deps=[table for table in TABLES_SHOWN if table != "orphan_images"],
)
def orphan_images(context: dg.AssetExecutionContext, collections: Collections, tables: Tables) -> pl.DataFrame:
    """Find the images that no document references, with the passage that wants each, and draw the gallery."""
    collection, store = collections.get(context.partition_key), tables.store()
    frames = {table: store.scan(table, collection.name).collect() for table in TABLES_SHOWN if table != "orphan_images"}
    orphans = find_orphans(
        frames["image_files"], frames["images"], frames["references"], frames["visual_evidence"], frames["documents"]
    )
    shown = {**frames, "orphan_images": orphans}

    @cache
    def small(uri: str) -> str | None:
        return thumbnail(uri, collection.limits, THUMBNAIL_SIDE)

    gallery = write_gallery(tables.gallery(collection.name), collection.name, shown, small)
    edges = write_edges(tables.edges_page(collection.name), collection.name, shown, small)
    reasons = orphans.group_by("reason").len().sort("reason")
    context.add_output_metadata(
        served_view("orphans", collection.name)
        | page_metadata("edges page", edges, tables.report_address(edges))
        | page_metadata("gallery", gallery, tables.report_address(gallery))
        | {f"reason/{reason}": count for reason, count in reasons.iter_rows()}
    )
    if is_scored_without_pixels(frames["visual_evidence"]):
        mute = pictures_without_text(frames["images"], frames["image_texts"], frames["references"])
        context.add_output_metadata({"not_judged": len(mute), "not_judged_sample": mute[:NAMED]})
    return orphans
