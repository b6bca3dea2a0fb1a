"""Descriptions as a collection asks for them: the same for a run and for an evaluation beside it."""

from pathlib import Path

import polars as pl

from kg_pipeline.config import Collection, Settings
from kg_pipeline.descriptions.cache import DescriptionCache
from kg_pipeline.descriptions.choice import choose_describer
from kg_pipeline.descriptions.describing import DescriptionReport, describe_images
from kg_pipeline.images import InventoryTables
from kg_pipeline.tables import TABLES


def describe_collection(
    collection: Collection, inventory: InventoryTables, cache: Path
) -> tuple[pl.DataFrame, DescriptionReport]:
    """The table `image_descriptions`; without rows when the collection has no section `descriptions`.

    The key comes from the environment. Raises DescriptionError.
    """
    section = collection.descriptions
    if section is None:
        return TABLES["image_descriptions"].empty(), DescriptionReport()
    describer = choose_describer(section, Settings().description_api_key, collection.limits)
    try:
        return describe_images(describer, DescriptionCache(cache), inventory, collection.limits, section.max_new_images)
    finally:
        describer.close()
