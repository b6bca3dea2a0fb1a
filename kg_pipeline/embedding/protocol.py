"""What turns texts into vectors."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Vectors: TypeAlias = npt.NDArray[np.float32]


class Embedder(Protocol):
    """A model that gives texts of like meaning vectors of small angle."""

    @property
    def fingerprint(self) -> str:
        """Names all that changes a vector; vectors of different fingerprints are never compared."""

    @property
    def dimensions(self) -> int:
        """Length of its vectors. Raises EmbeddingError."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text, float32 [n, dimensions], of length 1; NaN where the model refuses a text (too long).

        Raises EmbeddingError when nothing can be computed now.
        """
