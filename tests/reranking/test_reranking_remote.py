"""The reranker behind an address, against a server that answers as `kg-pipeline serve` does."""

import base64
import logging
import math
import threading
import time

import pytest
from graph_servers import free_port
from json_server import Answer, Asked, json_server

from kg_pipeline import model_server
from kg_pipeline.config import Limits, Scoring
from kg_pipeline.model_sections import RemoteReranker as RemoteSection
from kg_pipeline.reranking import ImageTexts, RerankerError, choose_reranker, remote

TOKEN = "a-token-of-32-characters-0123456"
SECRET = "the pressure of valve 7 is confidential"
SCORER = "qwen-vl/tiny@0/image-to-text/float32/0123456789ab"


class ScoreServer:
    """Log-odds are the length of the text times the first byte of the picture."""

    def __init__(self) -> None:
        self.scorer = SCORER
        self.looks_at_pixels = True
        self.requests: list[Asked] = []
        self.refuse = lambda _body: None
        """Status and headers of a request's refusal."""
        self.wait = 0.0
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/api/models":
            models = [
                {
                    "direction": name,
                    "scorer": self.scorer.replace("image-to-text", name),
                    "looks_at_pixels": self.looks_at_pixels,
                }
                for name in ("image-to-text", "text-to-image")
            ]
            return Answer({"models": models, "limits": {"pictures": 256}})
        with self._lock:
            self.requests.append(asked)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            time.sleep(self.wait)
            return self.refuse(asked.body) or self.scored(asked.body)
        finally:
            with self._lock:
                self._now -= 1

    def scored(self, body: dict) -> Answer:
        if "text" in body:
            return Answer({"text": "Score: 9.1 — red", "why": "red", "said_score": 9.1, "scorer": self.scorer})
        groups = []
        for group in body["groups"]:
            first = base64.b64decode(group["image"]["data"])[0]
            log_odds = [len(text) * first / 10 for text in group["texts"]]
            groups.append(
                {
                    "image_id": group["image_id"],
                    "log_odds": log_odds,
                    "truncated": [False] * len(log_odds),
                    "error": None,
                }
            )
        return Answer({"scorer": self.scorer, "direction": body["direction"], "groups": groups})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(model_server, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(remote, "BUSY_PAUSE_SECONDS", 0.05)
    monkeypatch.delenv("KG_PIPELINE_RERANKER_API_KEY", raising=False)


@pytest.fixture
def server():
    return ScoreServer()


@pytest.fixture
def reranker(server):
    """Makes a remote reranker that asks the server; keyword arguments are settings of its section."""
    opened = []
    with json_server(server) as url:

        def made(**settings):
            section = RemoteSection(url=url, **{"timeout_seconds": 5, **settings})
            choice = choose_reranker(Scoring(reranker="remote", remote=section), Limits())
            opened.append(choice.reranker)
            return choice.reranker

        yield made
        for each in opened:
            each.close()


def groups(count, texts=("a", "bb", "ccc"), size=1):
    return [ImageTexts(f"image {n}", lambda n=n: bytes([n + 1]) * size, tuple(texts)) for n in range(count)]


def expected(count, texts=("a", "bb", "ccc")):
    return [tuple(len(text) * (n + 1) / 10 for text in texts) for n in range(count)]


def test_scores_come_in_the_order_of_groups_and_texts_and_requests_run_side_by_side(server, reranker):
    server.wait = 0.05
    scores = list(reranker(parallel=4, request_bytes=1_000).score(groups(100, size=300)))
    assert [each.image_id for each in scores] == [f"image {n}" for n in range(100)]
    assert [each.log_odds for each in scores] == expected(100)
    assert 2 <= server.most_at_once <= 4


def test_the_fingerprint_is_the_servers_own_so_that_scores_made_elsewhere_count(reranker):
    mine = reranker()
    assert (mine.fingerprint, mine.direction) == (SCORER, "image-to-text")


def test_requests_are_bounded_in_bytes_and_a_larger_picture_goes_alone(server, reranker):
    mixed = [*groups(6, size=300), ImageTexts("large", lambda: b"x" * 3_000, ("a",)), *groups(2, size=300)]
    assert len(list(reranker(request_bytes=1_000).score(mixed))) == 9
    sizes = [[len(group["texts"]) for group in asked.body["groups"]] for asked in server.requests]
    assert sorted(map(len, sizes)) == [1, 2, 2, 2, 2]
    assert max(asked.bytes for asked in server.requests if len(asked.body["groups"]) > 1) < 2_000


def test_a_request_has_at_most_256_pairs(server, reranker):
    list(reranker().score(groups(20, texts=["t" * (n + 1) for n in range(50)])))
    assert max(sum(len(group["texts"]) for group in asked.body["groups"]) for asked in server.requests) == 250


def test_a_picture_that_cannot_be_read_is_not_sent_and_keeps_its_place(server, reranker):
    def gone() -> bytes:
        raise OSError("no such file")

    first, second, third = reranker().score([groups(1)[0], ImageTexts("gone", gone, ("a", "b")), groups(1)[0]])
    assert second.log_odds == (None, None)
    assert "no such file" in (second.error or "")
    assert first.log_odds == third.log_odds == expected(1)[0]


def test_the_token_of_the_environment_goes_to_the_server_and_nowhere_else(server, reranker, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("KG_PIPELINE_RERANKER_API_KEY", TOKEN)
    mine = reranker()
    list(mine.score(groups(1)))
    assert server.requests[0].authorization == f"Bearer {TOKEN}"
    server.refuse = lambda _: Answer({"detail": "no"}, 401)
    with pytest.raises(RerankerError, match=r"refuses the key .401.*KG_PIPELINE_RERANKER_API_KEY") as error:
        list(mine.score(groups(1, texts=[SECRET])))
    assert TOKEN not in caplog.text + str(error.value) + repr(mine) + str(mine.facts())
    assert SECRET not in caplog.text + str(error.value)


def test_a_busy_server_is_asked_again_for_long_after_it_said_when(server, reranker):
    answers = iter([Answer(None, 429, {"Retry-After": "0"})] * 12)
    server.refuse = lambda _: next(answers, None)
    mine = reranker()
    assert [each.log_odds for each in mine.score(groups(1))] == expected(1)
    assert len(server.requests) == 13
    assert mine.facts()["seconds_busy"] > 0


def test_a_server_that_stays_busy_ends_the_run_with_a_sentence(server, reranker):
    server.refuse = lambda _: Answer(None, 429, {"Retry-After": "0"})
    with pytest.raises(RerankerError, match=r"has no room .429.*busy_seconds"):
        list(reranker(busy_seconds=0.1).score(groups(1)))


def test_what_the_server_refuses_has_no_score_and_says_why_and_the_rest_has_scores(server, reranker):
    def refuse(body):
        pairs = [(group["image_id"], text) for group in body["groups"] for text in group["texts"]]
        problem = {"type": "about:blank", "detail": "more than 50000000 pixels"}
        if any(image == "image 2" or (image == "image 4" and text == "bb") for image, text in pairs):
            return Answer(problem, 413, {"Content-Type": "application/problem+json"})
        return None

    server.refuse = refuse
    scores = list(reranker().score(groups(6)))
    wanted = expected(6)
    wanted[2] = (None, None, None)
    wanted[4] = (wanted[4][0], None, wanted[4][2])
    assert [each.log_odds for each in scores] == wanted
    assert "more than 50000000 pixels" in (scores[2].error or "")
    assert [bool(each.error) for each in scores] == [False, False, True, False, True, False]


def test_a_server_that_refuses_everything_is_an_error_and_no_run_without_scores(server, reranker):
    server.refuse = lambda _: Answer({"detail": "no"}, 422)
    with pytest.raises(RerankerError, match="refuses every pair"):
        list(reranker().score(groups(3)))
    assert len(server.requests) < 12


def test_a_server_too_slow_for_many_pairs_gets_fewer_at_once(server, reranker):
    def late(body):
        pairs = sum(len(group["texts"]) for group in body["groups"])
        return Answer({"detail": "late"}, 504) if pairs > 10 else None

    server.refuse = late
    assert [each.log_odds for each in reranker(parallel=1).score(groups(40))] == expected(40)
    refused = [asked for asked in server.requests if sum(len(group["texts"]) for group in asked.body["groups"]) > 10]
    assert len(refused) < len(server.requests) / 2


def test_another_scorer_in_the_middle_of_a_run_is_an_error_that_names_both(server, reranker):
    mine = reranker(request_bytes=1_000, parallel=1)
    found = []
    with pytest.raises(RerankerError, match=f"has changed while it was asked, from {SCORER} to qwen-vl/other"):
        for scores in mine.score(groups(60, size=300)):
            found.append(scores)
            server.scorer = "qwen-vl/other"
    assert 0 < len(found) < 60
    assert [each.log_odds for each in found] == expected(60)[: len(found)]


def test_what_other_requests_brought_is_kept_when_one_fails(server, reranker):
    server.refuse = lambda body: (
        Answer({"detail": "broken"}, 500) if body["groups"][0]["image_id"] == "image 0" else None
    )
    found = []
    with pytest.raises(RerankerError, match="answers 500"):
        for scores in reranker(request_bytes=1_000, parallel=3).score(groups(100, size=600)):
            found += [scores.image_id]
    assert found == ["image 1", "image 2", "image 3"][: len(found)]
    assert len(found) >= 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {"scorer": SCORER},
        {"scorer": SCORER, "groups": []},
        [],
        {"scorer": SCORER, "groups": [{"image_id": "x"}]},
    ],
)
def test_an_answer_of_another_shape_is_an_error(server, reranker, body):
    server.refuse = lambda _: Answer(body)
    with pytest.raises(RerankerError, match=r"does not answer as kg-pipeline's /api/score"):
        list(reranker().score(groups(1)))


def test_scores_that_are_no_numbers_are_none(server, reranker):
    group = {"image_id": "image 0", "log_odds": [math.nan, None, 2.5], "truncated": [True, False, False]}
    server.refuse = lambda _: Answer({"scorer": SCORER, "groups": [group]})
    (scores,) = reranker().score(groups(1))
    assert (scores.log_odds, scores.truncated) == ((None, None, 2.5), (True, False, False))


def test_a_server_without_a_model_is_no_reranker(server, reranker):
    server.looks_at_pixels = False
    with pytest.raises(RerankerError, match="has no model that looks at pictures"):
        reranker()


def test_a_reason_is_written_by_the_servers_model(server, reranker):
    mine = reranker()
    list(mine.score(groups(1)))
    answers = iter([Answer(None, 429, {"Retry-After": "0"})] * 6)
    server.refuse = lambda _: next(answers, None)
    assert mine.explain(b"picture", "text").why == "red"
    server.refuse = lambda _: Answer({"detail": "no"}, 400)
    with pytest.raises(ValueError, match="refuses the pair"):
        reranker().explain(b"picture", "text")


def test_no_server_is_an_error_with_a_remedy():
    section = RemoteSection(url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RerankerError, match=r"no reranker server answers at .*scoring.remote.url.*--reranker none"):
        choose_reranker(Scoring(reranker="remote", remote=section))


def test_remote_needs_an_address():
    with pytest.raises(RerankerError, match="--reranker-url"):
        choose_reranker(Scoring(reranker="remote"))
