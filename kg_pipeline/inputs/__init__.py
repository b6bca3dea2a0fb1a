"""The state of what a collection is made from, as one fingerprint: whether a run would read anything new.

Nothing is parsed or decoded here; what a run makes of the files is in documents, images and concepts.
"""

from kg_pipeline.inputs.listing import InputFile, list_inputs
from kg_pipeline.inputs.scan import Scan, scan_inputs

__all__ = ["InputFile", "Scan", "list_inputs", "scan_inputs"]
