"""What every test may use."""

from pathlib import Path

import pytest

from kg_pipeline.config import Collection


@pytest.fixture
def make_collection(tmp_path: Path):
    """A collection named `test` over `tmp_path / "docs"`; keyword arguments replace its sections."""

    def make(**sections) -> Collection:
        data = {"name": "test", "documents": [{"root": "docs"}], **sections}
        return Collection.model_validate(data, context={"base": tmp_path})

    return make
