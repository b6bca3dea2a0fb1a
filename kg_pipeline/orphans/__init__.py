"""What nothing uses and what points nowhere: orphan pictures with their suggestions, broken and doubtful references."""

from kg_pipeline.orphans.finding import find_orphans
from kg_pipeline.orphans.references import incomplete_sources, missing_references, questionable_references

__all__ = ["find_orphans", "incomplete_sources", "missing_references", "questionable_references"]
