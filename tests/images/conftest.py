"""Fixtures for the tests of kg_pipeline.images."""

import os
from pathlib import Path

import pytest

from kg_pipeline.images import InventoryTables, read_inventory


@pytest.fixture
def docs(tmp_path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest.fixture
def inventory(make_collection):
    """Read the inventory of `make_collection(**sections)` in this process."""

    def read(previous: InventoryTables | None = None, workers: int = 1, **sections) -> InventoryTables:
        return read_inventory(make_collection(**sections), previous, workers)

    return read


@pytest.fixture
def corpora() -> Path:
    folder = os.environ.get("KG_PIPELINE_TEST_CORPORA")
    if not folder:
        pytest.skip("KG_PIPELINE_TEST_CORPORA does not name the folder of documentation sites with ground truth")
    return Path(folder)
