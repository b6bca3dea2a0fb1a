"""Stores that hold pictures, and a collection that takes them from there."""

import itertools
from pathlib import Path

import polars as pl
import pytest
from store_servers import ACCESS_KEY, S3, SECRET_KEY, WebServer, s3_server, web_server

from kg_pipeline.config import Collection
from kg_pipeline.images import InventoryTables, fetch_pictures, read_inventory

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def s3_of_session():
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_of_session: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server, with credentials in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return s3_of_session


@pytest.fixture
def bucket(s3: S3) -> str:
    """The name of an empty bucket."""
    name = f"pictures{next(numbers)}"
    s3.client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    with web_server() as server:
        yield server


class Reading:
    """Runs of one collection over the same cache."""

    def __init__(self, make_collection, folder: Path) -> None:
        self.make_collection = make_collection
        self.cache = folder / "stores"
        self.collection: Collection | None = None
        self.tables: InventoryTables | None = None
        self.report = None

    def __call__(self, *images: dict, **sections) -> pl.DataFrame:
        """The table image_files of a run over these places; what it cost is in `report`."""
        if images:
            # Reading the words in pictures takes its time, and is none of these tests' business.
            self.collection = self.make_collection(**{"images": list(images), "scoring": {"ocr": False}, **sections})
        assert self.collection
        remote = fetch_pictures(self.collection, self.cache)
        self.report = remote.report
        self.tables = read_inventory(self.collection, self.tables, 1, remote=remote.listed)
        return self.tables.image_files

    def rows(self) -> list[tuple]:
        """Path and status of every row."""
        return list(self.tables.image_files.select("path", "status").iter_rows())


@pytest.fixture
def reading(make_collection, tmp_path: Path) -> Reading:
    (tmp_path / "docs").mkdir()
    return Reading(make_collection, tmp_path)


__all__ = ["WebServer"]
