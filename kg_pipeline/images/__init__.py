"""Image inventory, safe decoding, duplicates, decoration, and the text that belongs to an image.

Not here: what documents say of images (kg_pipeline.documents) and whether an image fits a text (candidates, evidence).
"""

from kg_pipeline.images.addresses import open_image_bytes
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.inventory import InventoryTables, read_inventory
from kg_pipeline.images.ocr import PictureReader
from kg_pipeline.images.ocr_cache import import_ocr
from kg_pipeline.images.ocr_cost import ocr_cost
from kg_pipeline.images.remote import RemotePictures, StoreReport, fetch_pictures
from kg_pipeline.images.store_rows import probe_store
from kg_pipeline.images.texts import ocr_pending, read_image_texts
from kg_pipeline.images.thumbnails import thumbnail
from kg_pipeline.stores import StoreError

__all__ = [
    "ImageError",
    "InventoryTables",
    "PictureReader",
    "RemotePictures",
    "StoreError",
    "StoreReport",
    "fetch_pictures",
    "import_ocr",
    "ocr_cost",
    "ocr_pending",
    "open_image_bytes",
    "probe_store",
    "read_image_texts",
    "read_inventory",
    "thumbnail",
]
