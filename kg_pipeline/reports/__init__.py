"""What people read about a collection: the HTML gallery, the page of an evaluation."""

from kg_pipeline.reports.blind_spots import is_scored_without_pixels, pictures_without_text
from kg_pipeline.reports.edges import edge_changes, weakest_edges
from kg_pipeline.reports.edges_page import write_edges
from kg_pipeline.reports.evaluation import plots_of, write_evaluation
from kg_pipeline.reports.gallery import TABLES_SHOWN, write_gallery
from kg_pipeline.reports.page import ReportError
from kg_pipeline.reports.plots import Plot
from kg_pipeline.reports.run_plots import reliability_of_references, scores_of_pairs, shares_of_confidence

__all__ = [
    "TABLES_SHOWN",
    "Plot",
    "ReportError",
    "edge_changes",
    "is_scored_without_pixels",
    "pictures_without_text",
    "plots_of",
    "reliability_of_references",
    "scores_of_pairs",
    "shares_of_confidence",
    "weakest_edges",
    "write_edges",
    "write_evaluation",
    "write_gallery",
]
