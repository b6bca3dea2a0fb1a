"""The describer behind an address: what it sends, what it takes for an answer, and what it says when there is none."""

import json
import logging
from io import BytesIO

import pytest
from description_server import COLOURS, description_server
from graph_servers import free_port
from PIL import Image
from pydantic import SecretStr, ValidationError

from kg_pipeline import model_server
from kg_pipeline.descriptions import DescriptionError, EndpointDescriber, UndescribedError
from kg_pipeline.descriptions.asking import ASKED, MOST_CHARACTERS, cleaned
from kg_pipeline.model_sections import Descriptions

KEY = "sk-the-secret-key"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(model_server, "BACKOFF_SECONDS", 0.001)


@pytest.fixture
def server():
    with description_server() as server:
        yield server


def describer(server, key="", **settings):
    return EndpointDescriber(Descriptions(url=server.url, model="eyes", **settings), SecretStr(key))


def jpeg(colour):
    packed = BytesIO()
    Image.new("RGB", (40, 30), COLOURS[colour]).save(packed, "JPEG")
    return packed.getvalue()


def test_a_picture_is_sent_with_the_question_and_the_answer_is_one_line(server):
    server.says["red"] = "  A red lamp\n\n is\tlit. "
    assert describer(server).describe(jpeg("red")) == "A red lamp is lit."
    (request,) = server.requests
    assert (request["model"], request["temperature"]) == ("eyes", 0)
    assert request["messages"][0]["content"][1] == {"type": "text", "text": ASKED["en"]}
    assert server.pictures[0].size == (40, 30)
    assert server.keys == [None]


def test_question_and_language_are_settings_and_part_of_the_fingerprint(server):
    chinese, own = describer(server, language="zh"), describer(server, prompt="Which part number?")
    own.describe(jpeg("red"))
    chinese.describe(jpeg("red"))
    asked = [request["messages"][0]["content"][1]["text"] for request in server.requests]
    assert asked == ["Which part number?", ASKED["zh"]]
    assert len({chinese.fingerprint, own.fingerprint, describer(server).fingerprint}) == 3
    assert describer(server, parallel=9).fingerprint == describer(server).fingerprint


def test_the_key_goes_to_the_server_and_nowhere_else(server, caplog):
    caplog.set_level(logging.DEBUG)
    mine = describer(server, KEY)
    mine.describe(jpeg("red"))
    assert server.keys == [f"Bearer {KEY}"]
    server.statuses = [401]
    with pytest.raises(DescriptionError, match=r"401, some_error.*KG_PIPELINE_DESCRIPTION_API_KEY") as error:
        mine.describe(jpeg("red"))
    assert KEY not in caplog.text + str(error.value) + repr(mine) + mine.fingerprint


@pytest.mark.parametrize(
    ("statuses", "message"),
    [
        ([500] * 9, "the description server at .* answers 500, some_error: look at its log"),
        ([404], "does not know the model eyes .* address before /chat/completions"),
        ([302], "answers 302"),
        ([400] * 9, r"refuses every picture \(400, some_error\): eyes may be no model that sees pictures"),
    ],
)
def test_an_answer_that_is_none_says_what_to_do(server, statuses, message):
    server.statuses = statuses
    with pytest.raises(DescriptionError, match=message):
        describer(server).describe(jpeg("red"))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"text": "a"}]}', b"5"])
def test_a_server_of_another_kind_is_named(server, body):
    server.body = body
    with pytest.raises(DescriptionError, match="does not answer as OpenAI's /chat/completions does"):
        describer(server).describe(jpeg("red"))


def test_a_server_that_is_away_is_named():
    section = Descriptions(url=f"http://127.0.0.1:{free_port()}/v1", model="eyes")
    with pytest.raises(DescriptionError, match=r"no description server answers .* remove the section `descriptions`"):
        EndpointDescriber(section, SecretStr(KEY)).describe(jpeg("red"))


def test_a_picture_that_is_refused_costs_only_itself(server):
    server.refused = frozenset({"red"})
    mine = describer(server)
    with pytest.raises(UndescribedError, match="the server refuses the picture: 400, BadRequestError"):
        mine.describe(jpeg("red"))
    assert mine.describe(jpeg("blue")) == "A blue thing."
    asked = len(server.requests)
    with pytest.raises(UndescribedError):
        mine.describe(jpeg("red"))
    assert len(server.requests) == asked + 1  # that the server takes pictures is known by now


@pytest.mark.parametrize("content", [None, "", " \n ", "\x00\u200b", ["parts"]])
def test_an_answer_without_words_is_a_refusal(server, content):
    server.says["red"] = content
    with pytest.raises(UndescribedError, match="without words"):
        describer(server).describe(jpeg("red"))


def test_what_a_table_cannot_hold_is_left_out():
    text = json.loads('"lamp\\u0000 \\ud800on\\u202e, 灯亮 \\ud83d\\udd34"')
    assert cleaned(text) == "lamp on , 灯亮 \U0001f534"
    assert len(cleaned("word " * 10_000)) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    "section",
    [{}, {"url": "http://h/v1"}, {"model": "m"}, {"url": "http://h/v1", "model": "m", "checkpoint": "c"}],
)
def test_exactly_one_describer_is_configured(section):
    with pytest.raises(
        ValidationError, match=r"exactly one of url \(with model\), checkpoint|url and model go together"
    ):
        Descriptions.model_validate(section)
