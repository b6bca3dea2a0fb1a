"""From the bytes of an image file to what the vision tower takes, by the checkpoint's own processor and one resize."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kg_pipeline.config import Limits
from kg_pipeline.images.decoding import as_seen
from kg_pipeline.reranking.families import Family
from kg_pipeline.reranking.protocol import RerankerError

PIXELS_VERSION = 2
"""Counts changes of decoding that change a score; part of the fingerprint."""


@dataclass(frozen=True)
class Pixels:
    """One image, ready for the vision tower."""

    patches: Any
    """Tensor [patches, values of a patch], four patches to a token."""
    grid: tuple[int, int]
    """Height and width in tokens."""

    @property
    def tokens(self) -> int:
        """Tokens that the image takes in a prompt."""
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class PixelReader:
    """Decodes, resizes and normalizes as the processor of a checkpoint does."""

    processor: Any
    family: Family
    limits: Limits

    def read(self, data: bytes) -> Pixels:
        """As seen, resized once within the pixel limits of the card.

        Raises ImageError, ValueError; RerankerError when the processor resizes otherwise than the card says.
        """
        # As transformers.image_utils.load_image: a photo is seen as a person sees it.
        picture = as_seen(data, self.limits)
        expected = self.grid(picture.width, picture.height)
        size = {"shortest_edge": self.family.min_pixels, "longest_edge": self.family.max_pixels}
        made = self.processor(images=[picture], size=size, return_tensors="pt")
        _, height, width = made["image_grid_thw"][0].tolist()
        merge = self.processor.merge_size
        grid = (height // merge, width // merge)
        # The two disagree on what is thinner than half a token, where the processor's word counts.
        if grid != expected and 2 * min(picture.size) > self.family.token_side:
            raise RerankerError(
                f"the checkpoint's image processor makes {grid} tokens of {picture.height} x {picture.width} pixels, "
                f"the model card {expected}: its preprocessor_config.json is of another model"
            )
        return Pixels(made["pixel_values"], grid)

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Height and width in tokens that the card gives an image of so many pixels, known without decoding it.

        Raises ValueError for an image longer than 200 times its width.
        """
        from qwen_vl_utils import smart_resize

        side = self.family.token_side
        rows, columns = smart_resize(height, width, side, self.family.min_pixels, self.family.max_pixels)
        return rows // side, columns // side

    @property
    def back_end(self) -> str:
        """Which implementation resizes; torchvision and Pillow differ in the last bits of a pixel."""
        name = type(self.processor).__name__
        library = "pillow" if name.endswith("Pil") else "torchvision"
        return f"{name}/{library}-{version(library)}/transformers-{version('transformers')}"


def load_pixel_reader(folder: Path, family: Family, limits: Limits) -> PixelReader:
    """The processor of the checkpoint in `folder`."""
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return PixelReader(processor, family, limits)
