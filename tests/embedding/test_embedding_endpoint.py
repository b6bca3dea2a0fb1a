import logging

import numpy as np
import pytest
from embedding_server import DIMENSIONS, embedding_server
from graph_servers import free_port
from pydantic import SecretStr, ValidationError

from kg_pipeline import model_server
from kg_pipeline.embedding import EmbeddingError, EndpointEmbedder
from kg_pipeline.model_sections import Embeddings

KEY = "sk-the-secret-key"
SECRET = "the pressure of valve 7 is confidential"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(model_server, "BACKOFF_SECONDS", 0.001)


@pytest.fixture
def server():
    with embedding_server() as server:
        yield server


def embedder(server, key="", **settings):
    return EndpointEmbedder(Embeddings(url=server.url, model="bag", **settings), SecretStr(key))


def test_vectors_come_in_the_order_of_the_texts_and_have_length_one(server):
    vectors = embedder(server, batch=2).embed(["red lamp", "cold air", "red lamp red lamp", "x"])
    assert (vectors.shape, vectors.dtype) == ((4, DIMENSIONS), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert vectors[0] @ vectors[2] > 0.9 > vectors[0] @ vectors[1]
    assert [len(request["input"]) for request in server.requests] == [2, 2]


def test_no_texts_are_no_rows(server):
    assert embedder(server).embed([]).shape == (0, DIMENSIONS)


def test_dimensions_are_asked_for_or_learned(server):
    assert embedder(server).dimensions == DIMENSIONS
    short = embedder(server, dimensions=16)
    assert (short.dimensions, short.embed(["a"]).shape) == (16, (1, 16))
    assert server.requests[-1]["dimensions"] == 16
    assert short.fingerprint != embedder(server).fingerprint


def test_the_key_goes_to_the_server_and_nowhere_else(server, caplog):
    caplog.set_level(logging.DEBUG)
    mine = embedder(server, KEY)
    mine.embed(["a"])
    assert server.keys == [f"Bearer {KEY}"]
    server.statuses = [401]
    with pytest.raises(EmbeddingError, match=r"401, some_error.*KG_PIPELINE_EMBEDDING_API_KEY") as error:
        mine.embed([SECRET])
    assert KEY not in caplog.text + str(error.value) + repr(mine) + mine.fingerprint
    assert SECRET not in caplog.text + str(error.value)


def test_a_busy_server_is_asked_again(server):
    server.statuses = [429, 503]
    assert embedder(server).embed(["a"]).shape == (1, DIMENSIONS)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("statuses", "message"),
    [
        ([500] * 9, "answers 500, some_error: look at its log"),
        ([404], "does not know the model bag .* address before /embeddings"),
        ([302], "answers 302"),
        ([400] * 9, "refuses every text .400, some_error.: correct embeddings.model"),
    ],
)
def test_an_answer_that_is_none_says_what_to_do(server, statuses, message):
    server.statuses = statuses
    with pytest.raises(EmbeddingError, match=message) as error:
        embedder(server).embed([SECRET, "a"])
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"data": [{"index": 0}]}', b'{"data": []}', b'{"data": [{"index": 0, "embedding": 5}]}'],
)
def test_a_server_of_another_kind_is_named(server, body):
    server.body = body
    with pytest.raises(EmbeddingError, match="answer"):
        embedder(server).embed(["a"])


def test_a_server_that_is_away_is_named():
    section = Embeddings(url=f"http://127.0.0.1:{free_port()}/v1", model="bag")
    with pytest.raises(EmbeddingError, match=r"no embedding server answers at http://127.0.0.1.*embeddings.url"):
        EndpointEmbedder(section, SecretStr(KEY)).embed(["a"])


def test_a_text_the_model_does_not_take_costs_only_itself(server):
    server.longest = 20
    texts = [f"text {number}" for number in range(9)]
    texts[4] = "much too long for this model"
    vectors = embedder(server).embed(texts)
    assert np.isnan(vectors).all(axis=1).tolist() == [number == 4 for number in range(9)]
    assert not np.isnan(np.delete(vectors, 4, axis=0)).any()


def test_a_text_alone_that_the_model_does_not_take_is_no_error(server):
    server.longest = 20
    assert np.isnan(embedder(server).embed(["much too long for this model"])).all()


def test_other_dimensions_than_asked_for_are_refused(server):
    server.body = b'{"data": [{"index": 0, "embedding": [1, 2, 3]}]}'
    with pytest.raises(EmbeddingError, match="answers with 3 dimensions instead of 16"):
        embedder(server, dimensions=16).embed(["a"])


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host/v1", "http://", "http://me:pw@host/v1", "http://h/v1?key=1"]
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url):
    with pytest.raises(ValidationError, match=r"expected the address|KG_PIPELINE_EMBEDDING_API_KEY"):
        Embeddings(url=url, model="bag")
