"""Whole runs of a collection whose passages get vectors."""

import pytest
import yaml
from embedding_server import DIMENSIONS, embedding_server
from graph_content import content

VECTORS = "MATCH (c:Chunk) RETURN c.text AS text, c.embedding AS vector ORDER BY c.id"


@pytest.fixture
def model():
    with embedding_server() as server:
        yield server


@pytest.fixture
def server(graph_server, monkeypatch):
    graph_server.select(monkeypatch)
    graph_server.wipe()
    return graph_server


def run(knowledge_base, url):
    section = {"documents": [{"root": str(knowledge_base.docs)}], "scoring": {"ocr": False}}
    if url:
        section["embeddings"] = {"url": url, "model": "bag"}
    config = knowledge_base.root / "collections.yaml"
    config.write_text(yaml.safe_dump({"collections": {"kb": section}}))
    return knowledge_base.command("run", "--config", str(config))


def vectors(server):
    with server.connect() as connection:
        return connection.read(VECTORS)


def test_passages_have_vectors_while_the_collection_asks_for_them(knowledge_base, server, model):
    result = run(knowledge_base, model.url)
    assert result.exit_code == 0, result.output
    rows = vectors(server)
    passages = {row["text"] for row in rows}
    assert passages < set(model.texts)
    assert {"alarm lamp", "torque wrench"} <= set(model.texts) - passages, "the words of pictures have vectors as well"
    assert len(model.texts) == len(set(model.texts))
    assert {len(row["vector"]) for row in rows} == {DIMENSIONS}
    assert all(abs(sum(number**2 for number in row["vector"]) - 1) < 0.001 for row in rows)

    asked = len(model.requests)
    assert run(knowledge_base, model.url).exit_code == 0
    assert knowledge_base.last_run()["graph"]["writes"] == 0
    assert len(model.requests) == asked

    assert run(knowledge_base, None).exit_code == 0
    assert {row["vector"] for row in vectors(server)} == {None}
    assert run(knowledge_base, model.url).exit_code == 0
    assert vectors(server) == rows
    assert len(model.requests) == asked


def test_without_the_embedding_server_the_run_fails_with_advice_and_the_graph_stays(knowledge_base, server, model):
    assert run(knowledge_base, model.url).exit_code == 0
    before, asked = content(server), len(model.texts)
    (knowledge_base.docs / "new.md").write_text("# New\n\nA new passage.\n")
    model.statuses = [401]
    result = run(knowledge_base, model.url)
    assert result.exit_code == 1
    assert "KG_PIPELINE_EMBEDDING_API_KEY" in result.output
    assert [failure["step"].split("[")[0] for failure in knowledge_base.last_run()["failures"]] == ["embeddings"]
    assert content(server) == before
    assert knowledge_base.table("orphan_images").height > 0

    assert run(knowledge_base, model.url).exit_code == 0
    assert len(vectors(server)) > len([row for row in before if '"Chunk"' in row and '"labels"' in row])
    assert len(model.texts) == asked + 2
