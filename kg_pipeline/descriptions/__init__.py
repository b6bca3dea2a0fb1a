"""Descriptions of pictures by a model that sees them: who writes them, what is asked, and the cache of the answers.

They are image texts like OCR; what follows from them is found by kg_pipeline.candidates and evidence.
"""

from kg_pipeline.descriptions.cache import DescriptionCache
from kg_pipeline.descriptions.choice import choose_describer
from kg_pipeline.descriptions.collection import describe_collection
from kg_pipeline.descriptions.describing import DescriptionReport, describe_images
from kg_pipeline.descriptions.endpoint import DESCRIPTION, EndpointDescriber
from kg_pipeline.descriptions.errors import DescriptionError
from kg_pipeline.descriptions.protocol import Describer, UndescribedError

__all__ = [
    "DESCRIPTION",
    "Describer",
    "DescriptionCache",
    "DescriptionError",
    "DescriptionReport",
    "EndpointDescriber",
    "UndescribedError",
    "choose_describer",
    "describe_collection",
    "describe_images",
]
