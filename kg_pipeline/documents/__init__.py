"""From files to passages and image references: a parser per format, resolution of targets; no image is opened."""

from kg_pipeline.documents.embedded import list_embedded
from kg_pipeline.documents.errors import DocumentError
from kg_pipeline.documents.reading import DocumentTables, read_documents

__all__ = ["DocumentError", "DocumentTables", "list_embedded", "read_documents"]
