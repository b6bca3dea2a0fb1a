"""The exception family of kg_pipeline.verdicts."""


class VerdictError(Exception):
    """A verdict cannot be given: its image or text is not one of the collection."""
