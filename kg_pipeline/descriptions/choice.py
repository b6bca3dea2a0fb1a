"""Which describer a collection gets."""

from pydantic import SecretStr

from kg_pipeline.config import Limits
from kg_pipeline.descriptions.endpoint import EndpointDescriber
from kg_pipeline.descriptions.protocol import Describer
from kg_pipeline.model_sections import Descriptions


def choose_describer(section: Descriptions, api_key: SecretStr, limits: Limits) -> Describer:
    """The server or the checkpoint that `section` names; nothing is sent or loaded. Raises DescriptionError."""
    if section.url is not None:
        return EndpointDescriber(section, api_key)
    from kg_pipeline.descriptions.checkpoint import CheckpointDescriber

    return CheckpointDescriber(section, limits)
