"""What `doctor` says of the servers of embeddings and descriptions."""

import pytest
from graph_servers import free_port
from json_server import Answer, json_server
from openai_server import openai_server

from kg_pipeline.config import Settings
from kg_pipeline.doctor import examine


@pytest.fixture
def say(make_collection, monkeypatch, tmp_path):
    """Level, what was found and remedy by the server's name, for both sections at an address."""
    monkeypatch.setattr("kg_pipeline.doctor.check_server", lambda *_: [])

    def said(url: str):
        section = {"url": url, "model": "eyes"}
        collection = make_collection(embeddings=section, descriptions=section, scoring={"ocr": False})
        found = examine(Settings(), tmp_path / "home", None, [collection])
        return {each.what: (each.level, each.found, each.remedy) for each in found if "server of" in each.what}

    return said


def never(*_: object) -> tuple[int, bytes]:
    raise AssertionError("nothing but the list of models may be asked for")


@pytest.mark.parametrize(
    ("models", "level", "found"),
    [
        (b'{"data": [{"id": "other"}, {"id": "eyes"}]}', "ok", "eyes at http"),
        (b'{"data": [{"id": "other"}]}', "problem", "does not list the model eyes"),
        (b"not found", "note", "does not list its models"),
        (b"[1]", "note", "does not list its models"),
    ],
)
def test_the_models_of_a_server_are_looked_up(say, models, level, found):
    with openai_server("/embeddings", never, models) as url:
        said = say(url)
    assert set(said) == {"embedding server of test", "description server of test"}
    for what in said.values():
        assert what[0] == level
        assert found in what[1]
    if level == "problem":
        assert said["description server of test"][2] == "correct descriptions.model; listed there: other"


def test_a_server_that_is_away_is_a_problem_with_a_remedy(say):
    said = say(f"http://127.0.0.1:{free_port()}/v1")
    level, found, remedy = said["description server of test"]
    assert level == "problem"
    assert found.startswith("no description server answers at")
    assert "descriptions.url" in remedy


def test_without_the_sections_no_server_is_asked(make_collection, monkeypatch, tmp_path):
    monkeypatch.setattr("kg_pipeline.doctor.check_server", lambda *_: [])
    collection = make_collection(scoring={"ocr": False})
    assert not [each for each in examine(Settings(), tmp_path, None, [collection]) if "server of" in each.what]


def test_a_remote_reranker_is_asked_who_scores_there(make_collection, monkeypatch, tmp_path):
    monkeypatch.setattr("kg_pipeline.doctor.check_server", lambda *_: [])
    models = {"models": [{"direction": "image-to-text", "scorer": "qwen-vl/tiny", "looks_at_pixels": True}]}

    def said(url: str):
        collection = make_collection(scoring={"reranker": "remote", "remote": {"url": url}, "ocr": False})
        (found,) = (each for each in examine(Settings(), tmp_path, None, [collection]) if "server of" in each.what)
        return found

    with json_server(lambda _: Answer({**models, "limits": {"pictures": 9}})) as url:
        assert (said(url).level, said(url).found) == ("ok", f"qwen-vl/tiny, remote: {url}")
    away = said(url)
    assert away.level == "problem"
    assert away.found.startswith("no reranker server answers at")
