"""Who describes a picture."""

from typing import Protocol


class UndescribedError(Exception):
    """The model has no words for this one picture; the message says why, as it will stand in the table."""


class Describer(Protocol):
    """A model that sees a picture and writes a sentence or two."""

    @property
    def fingerprint(self) -> str:
        """Names all that changes a description: model, question, size of the picture."""

    @property
    def parallel(self) -> int:
        """How many pictures it takes at once, each in a thread of its own."""

    def describe(self, jpeg: bytes) -> str:
        """What a JPEG shows, in one line that is not empty.

        Raises UndescribedError for this picture, DescriptionError when none can be described now.
        """

    def close(self) -> None:
        """Give the memory of a device back."""
