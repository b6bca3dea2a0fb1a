"""Random checkpoints and the plain loop over them, built once per test process."""

import os
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qwen_checkpoints import TINY, Shape, build_checkpoint
from reference_loop import ReferenceLoop

from kg_pipeline.reranking.checkpoint import open_checkpoint
from kg_pipeline.reranking.protocol import Direction
from kg_pipeline.reranking.qwen_vl import Precision, QwenVLReranker

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folder of a random checkpoint of a family and shape."""

    @cache
    def built(model_type: str, shape: Shape = TINY) -> Path:
        return build_checkpoint(tmp_path_factory.mktemp(model_type), model_type, shape)

    return built


@pytest.fixture(scope="session")
def loop(checkpoint: Callable[..., Path]) -> Callable[..., ReferenceLoop]:
    """The reference loop on that checkpoint."""

    @cache
    def loaded(model_type: str, shape: Shape = TINY) -> ReferenceLoop:
        return ReferenceLoop(checkpoint(model_type, shape))

    return loaded


@pytest.fixture(scope="session")
def engine(checkpoint: Callable[..., Path]) -> Callable[..., QwenVLReranker]:
    """The engine on that checkpoint, loaded once; `budget` is set anew at every call."""

    @cache
    def loaded(model_type: str, direction: Direction, shape: Shape, dtype: str) -> QwenVLReranker:
        opened = open_checkpoint(str(checkpoint(model_type, shape)))
        return QwenVLReranker(opened, direction=direction, precision=Precision(dtype, "cpu"))

    def made(
        model_type: str = "qwen2_5_vl",
        direction: Direction = "image-to-text",
        shape: Shape = TINY,
        *,
        dtype: str = "float32",
        budget: int = 1024,
    ) -> QwenVLReranker:
        reranker = loaded(model_type, direction, shape, dtype)
        reranker.token_budget = budget
        return reranker

    return made


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    """A picture of smooth noise: width, height, mode."""

    def painted(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
        noise = np.random.default_rng((seed, width, height)).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)

    return painted


@pytest.fixture(scope="session")
def png() -> Callable[[Image.Image], bytes]:
    """The bytes of a PNG file."""

    def written(image: Image.Image) -> bytes:
        buffer = BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()

    return written
