"""A describer from weights on this machine: a Qwen-VL checkpoint, asked for words instead of yes or no."""

from kg_pipeline.config import Limits
from kg_pipeline.descriptions.asking import MOST_TOKENS, asking_fingerprint, cleaned, question
from kg_pipeline.descriptions.errors import DescriptionError
from kg_pipeline.descriptions.protocol import UndescribedError
from kg_pipeline.images.errors import ImageError
from kg_pipeline.model_sections import Descriptions
from kg_pipeline.reranking.checkpoint import open_checkpoint
from kg_pipeline.reranking.choice import EXTRA, chosen_device, missing_libraries
from kg_pipeline.reranking.protocol import RerankerError
from kg_pipeline.reranking.qwen_vl import Precision, QwenVLReranker


class CheckpointDescriber:
    """Loads the weights at the first picture; describes one at a time."""

    parallel = 1

    def __init__(self, section: Descriptions, limits: Limits) -> None:
        """`section` has a checkpoint. It is looked at but not loaded. Raises DescriptionError."""
        assert section.checkpoint is not None
        if missing := missing_libraries():
            raise DescriptionError(f"descriptions.checkpoint needs {', '.join(missing)}: {EXTRA}")
        try:
            checkpoint = open_checkpoint(section.checkpoint)
            precision = Precision(section.dtype, chosen_device(section.device))
        except RerankerError as error:
            raise DescriptionError(f"descriptions: {error}") from error
        self.fingerprint = (
            f"qwen-vl:{checkpoint.name}@{checkpoint.revision}:{section.dtype}:{asking_fingerprint(section)}"
        )
        self._question = question(section)
        self._model = QwenVLReranker(checkpoint, precision=precision, limits=limits)

    def describe(self, jpeg: bytes) -> str:
        """As in the protocol."""
        try:
            text = cleaned(self._model.write(jpeg, self._question, "", MOST_TOKENS))
        except (ImageError, ValueError) as error:
            raise UndescribedError(f"the model does not take the picture: {error}") from error
        except RerankerError as error:
            raise DescriptionError(f"descriptions: {error}") from error
        if not text:
            raise UndescribedError("the model answers without words")
        return text

    def close(self) -> None:
        """As in the protocol."""
        self._model.close()
