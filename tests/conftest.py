"""What every test may use."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest
from graph_servers import running_server

from kg_pipeline.config import Collection

# The workers of pytest-xdist have 80 here, and a console that is made then stays so narrow whatever a test asks for.
os.environ.pop("COLUMNS", None)
os.environ.pop("LINES", None)

# No test says how long a thing may take: the machine may be busy.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture(autouse=True)
def no_instance_is_left_open():
    """Fail at an instance of Dagster that was opened and dropped: definitions that load later in this process ask it.

    `build_schedule_context` opens one on its first use, for a `with` to close.
    """
    yield
    if "dagster" in sys.modules:
        from dagster._core.storage.defs_state import DefsStateStorage

        storage = DefsStateStorage.get()
        assert storage is None or storage._instance, "an instance of Dagster was not closed"


@pytest.fixture
def make_collection(tmp_path: Path):
    """A collection named `test` over `tmp_path / "docs"`; keyword arguments replace its sections."""

    def make(**sections) -> Collection:
        data = {"name": "test", "documents": [{"root": "docs"}], **sections}
        return Collection.model_validate(data, context={"base": tmp_path})

    return make


@pytest.fixture(scope="session", params=["neo4j", "embedded"])
def graph_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A graph server for the whole session: once a real Neo4j, once the embedded one."""
    with running_server(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def knowledge_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A small knowledge base on disk, a HOME beside it, and the command line to run it."""
    from knowledge_base import KnowledgeBase

    for name in ("NEO4J_URI", "NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("KG_PIPELINE_HOME", "KG_PIPELINE_CONFIG", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    return KnowledgeBase.draw(tmp_path)
