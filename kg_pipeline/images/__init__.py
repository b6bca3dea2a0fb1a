"""Image inventory, safe decoding, duplicates, decoration, and the text that belongs to an image.

Not here: what documents say of images (kg_pipeline.documents) and whether an image fits a text (candidates, evidence).
"""

from kg_pipeline.images.addresses import open_image_bytes
from kg_pipeline.images.errors import ImageError
from kg_pipeline.images.inventory import InventoryTables, read_inventory
from kg_pipeline.images.ocr import PictureReader
from kg_pipeline.images.ocr_cache import import_ocr
from kg_pipeline.images.ocr_cost import ocr_cost
from kg_pipeline.images.texts import ocr_pending, read_image_texts
from kg_pipeline.images.thumbnails import thumbnail

__all__ = [
    "ImageError",
    "InventoryTables",
    "PictureReader",
    "import_ocr",
    "ocr_cost",
    "ocr_pending",
    "open_image_bytes",
    "read_image_texts",
    "read_inventory",
    "thumbnail",
]
