"""What people read about a collection: the HTML gallery, the page of an evaluation."""

from kg_pipeline.reports.blind_spots import is_scored_without_pixels, pictures_without_text
from kg_pipeline.reports.evaluation import plots_of, write_evaluation
from kg_pipeline.reports.gallery import TABLES_SHOWN, write_gallery
from kg_pipeline.reports.page import ReportError

__all__ = [
    "TABLES_SHOWN",
    "ReportError",
    "is_scored_without_pixels",
    "pictures_without_text",
    "plots_of",
    "write_evaluation",
    "write_gallery",
]
