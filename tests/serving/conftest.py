"""A folder of pictures, the tiny checkpoint, and servers over them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from qwen_checkpoints import build_checkpoint
from served import Served, serving

from kg_pipeline.config import Scoring
from kg_pipeline.serving import ServeSettings

COLOURS = ("red", "green", "blue", "orange", "purple")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`rack_001.png` to `rack_005.png`, small ones, each of another colour."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, colour in enumerate(COLOURS, start=1):
        image = Image.new("RGB", (84, 56), colour)
        image.paste("white", (10 * number, 10, 10 * number + 20, 30))
        image.save(folder / f"rack_{number:03}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the real architecture."""
    return build_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_scoring(tiny_checkpoint: Path) -> Scoring:
    """Scoring with the tiny checkpoint on the CPU."""
    return Scoring(reranker="qwen-vl", checkpoint=str(tiny_checkpoint), dtype="float32", device="cpu")


@pytest.fixture(scope="session")
def make_settings(pictures: Path, tiny_scoring: Scoring, tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """Settings over the pictures with the tiny checkpoint; keyword arguments replace fields."""

    def made(**fields) -> ServeSettings:
        given = {"home": tmp_path_factory.mktemp("home"), "image_roots": (pictures,), "scoring": tiny_scoring}
        return ServeSettings(**(given | fields))

    return made


@pytest.fixture(scope="session")
def server(make_settings: Callable) -> Iterator[Served]:
    """A server with the tiny checkpoint over the folder of pictures."""
    with serving(make_settings()) as served:
        yield served
