import polars as pl
import pytest
from graph_tables import tables_of

from kg_pipeline.graph import sync, wanted_graph
from kg_pipeline.graph.apply import batches
from kg_pipeline.tables import TABLES


@pytest.fixture
def connection(graph_server):
    graph_server.wipe()
    with graph_server.connect() as connection:
        yield connection


def with_vectors(*vectors):
    """Tables whose first passages have these vectors."""
    tables = tables_of()
    texts = tables["chunks"]["text_sha256"].head(len(vectors)).to_list()
    rows = [
        {"text_sha256": text, "embedder": "test", "vector": vector} for text, vector in zip(texts, vectors, strict=True)
    ]
    return wanted_graph("test", tables | {"embeddings": TABLES["embeddings"].rows(rows)})


def test_vectors_arrive_and_are_read_back_as_they_are(connection, tmp_path):
    wanted = with_vectors([0.1234, -0.9923], [1.0, 0.0])
    sync(connection, "test", wanted, home=tmp_path)
    again = sync(connection, "test", wanted, home=tmp_path, read_back=True)
    assert (again.read_back, again.writes) == (True, 0)
    changed = sync(connection, "test", with_vectors([0.1234, -0.9923], [0.0, 1.0]), home=tmp_path)
    assert (dict(changed.upserted), dict(changed.deleted)) == ({"Chunk": 1}, {})
    assert dict(sync(connection, "test", with_vectors(), home=tmp_path).upserted) == {"Chunk": 2}
    assert connection.read("MATCH (c:Chunk) WHERE c.embedding IS NOT NULL RETURN c") == []


def test_only_texts_with_a_vector_have_one():
    chunks = with_vectors([1.0, 0.0]).nodes["Chunk"].drop_nulls("embedding")
    assert chunks["text"].to_list() == tables_of()["chunks"]["text"].head(1).to_list()


def test_vectors_count_when_rows_are_put_into_batches():
    vectors = pl.Series([[0.5] * 100] * 10, dtype=pl.List(pl.Float32()))
    rows = pl.DataFrame({"id": ["a"] * 10, "embedding": vectors})
    assert [batch.height for batch in batches(rows, 1_000, max_bytes=3_100)] == [3, 3, 3, 1]
