"""Pixels: the tokens of an image are known from its size, and are those that the processor makes."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qwen_checkpoints import processor
from reference_loop import HABITS

from kg_pipeline.config import Limits
from kg_pipeline.reranking import RerankerError
from kg_pipeline.reranking.families import FAMILIES
from kg_pipeline.reranking.pixels import PixelReader

FAMILY_NAMES = sorted(FAMILIES)


@pytest.fixture(scope="module")
def readers():
    return {name: PixelReader(processor(name).image_processor, FAMILIES[name], Limits()) for name in FAMILY_NAMES}


@pytest.mark.parametrize("name", FAMILY_NAMES)
@settings(max_examples=300)
@given(st.integers(17, 6000), st.integers(17, 6000))
@example(672, 672)
@example(17, 3400)
@example(5999, 30)
def test_the_tokens_known_beforehand_are_those_of_the_processor(readers, name, width, height):
    reader = readers[name]
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(ValueError, match="aspect ratio"):
            reader.grid(width, height)
        return
    limits = dict(zip(("min_pixels", "max_pixels"), HABITS[name].pixels, strict=True))
    patches = reader.processor.get_number_of_image_patches(height, width, limits)
    rows, columns = reader.grid(width, height)
    assert rows * columns * reader.processor.merge_size**2 == patches


@pytest.mark.parametrize("name", FAMILY_NAMES)
@pytest.mark.parametrize("size", [(60, 50), (3, 90), (900, 40), (2500, 1200)])
def test_a_picture_has_the_tokens_of_its_grid(readers, picture, png, name, size):
    pixels = readers[name].read(png(picture(*size)))
    assert len(pixels.patches) == pixels.tokens * readers[name].processor.merge_size ** 2
    if min(size) > 16:
        assert pixels.grid == readers[name].grid(*size)


def test_a_processor_of_another_model_is_refused(readers, picture, png):
    swapped = PixelReader(readers["qwen2_5_vl"].processor, FAMILIES["qwen3_vl"], Limits())
    with pytest.raises(RerankerError, match=r"preprocessor_config\.json is of another model"):
        swapped.read(png(picture(250, 120)))
