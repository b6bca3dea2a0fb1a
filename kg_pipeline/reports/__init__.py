"""What people read about a collection: orphans, broken and questionable references, the HTML gallery."""

from kg_pipeline.reports.gallery import TABLES_SHOWN, ReportError, write_gallery
from kg_pipeline.reports.orphans import (
    find_orphans,
    incomplete_sources,
    missing_references,
    questionable_references,
)

__all__ = [
    "TABLES_SHOWN",
    "ReportError",
    "find_orphans",
    "incomplete_sources",
    "missing_references",
    "questionable_references",
    "write_gallery",
]
