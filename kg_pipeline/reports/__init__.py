"""What people read about a collection: orphans, doubtful references, the HTML gallery, the page of an evaluation."""

from kg_pipeline.reports.blind_spots import is_scored_without_pixels, pictures_without_text
from kg_pipeline.reports.evaluation import plots_of, write_evaluation
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
    "is_scored_without_pixels",
    "missing_references",
    "pictures_without_text",
    "plots_of",
    "questionable_references",
    "write_evaluation",
    "write_gallery",
]
