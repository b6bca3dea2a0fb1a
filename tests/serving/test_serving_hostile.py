"""Requests that mean harm, or are garbage: refused by a status below 500, nothing leaked, and the server goes on."""

import json
import os
import random
import socket
import struct
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from served import HashScorer, Served, serving_hashes
from waiting import wait_for

from kg_pipeline.serving import RequestLimits, ServeSettings
from kg_pipeline.serving.errors import SettingsError

TOKEN = "a-token-of-some-length-0123456789"
QUERY = "a red lamp"


@pytest.fixture(scope="module")
def scorer() -> HashScorer:
    return HashScorer()


@pytest.fixture(scope="module")
def served(make_settings: Callable, scorer: HashScorer) -> Iterator[Served]:
    """A server without a model that takes little."""
    limits = RequestLimits(
        pictures=8, pairs=64, body_bytes=200_000, image_bytes=100_000, text_characters=500, score_characters=500
    )
    with serving_hashes(make_settings(limits=limits), scorer) as running:
        yield running


@pytest.fixture
def secret(pictures: Path, tmp_path: Path) -> Path:
    """A picture that lies outside the image root, with ways to it inside."""
    outside = tmp_path / "secret.png"
    outside.write_bytes((pictures / "rack_001.png").read_bytes())
    for name, target in {"link.png": outside, "folder": tmp_path, "loop": pictures / "loop"}.items():
        (pictures / name).unlink(missing_ok=True)
        (pictures / name).symlink_to(target)
    return outside


def rerank(served: Served, path: str):
    return served.post("/api/rerank", {"query": QUERY, "image_paths": [path]})


def test_no_way_leads_out_of_the_image_root(served: Served, secret: Path, pictures: Path) -> None:
    up = os.path.relpath(secret, pictures)
    ways = [
        str(secret),
        up,
        f"rack_001.png/../{up}",
        "link.png",
        "folder/secret.png",
        f"./././{up}",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "..",
        "../",
        "a/../../..",
        "/",
    ]
    addresses = [
        "http://127.0.0.1/rack.png",
        "HTTPS://example.org/a.png",
        "file:///etc/passwd",
        f"file:{secret}",
        "ftp://a/b",
        "gopher://a",
        "data:image/png;base64,AAAA",
        "\\\\host\\share\\a.png",
        "//host/share/a.png",
        "C:\\Windows\\a.png",
        " http://a",
        "zip:///a.zip!/b.png",
        "rack_001.png\0.txt",
        "\0",
    ]
    for way in (*ways, *addresses):
        answer = rerank(served, way)
        assert answer.status == 403, way
        assert answer.json().keys() == {"type", "title", "status", "detail"}
        assert str(secret.parent) not in answer.body.decode()
        score = {"groups": [{"image_id": "a", "image": {"path": way}, "texts": ["x"]}]}
        assert served.post("/api/score", score).status == 403, way


def test_the_answer_does_not_tell_whether_a_file_outside_exists(served: Served, secret: Path) -> None:
    for there, not_there in [
        (str(secret), str(secret) + "x"),
        ("folder/secret.png", "folder/other.png"),
        ("/etc/passwd", "/etc/no-such-file"),
        ("/etc/passwd/x", "/etc/nothing/x"),
        ("../" * 30 + "etc/passwd", "../" * 30 + "etc/nothing"),
    ]:
        one, other = rerank(served, there), rerank(served, not_there)
        assert (one.status, one.body) == (other.status, other.body)


def test_odd_files_inside_the_root_are_errors_of_that_picture(served: Served, secret: Path, pictures: Path) -> None:
    (pictures / "deep").mkdir(exist_ok=True)
    if not (pictures / "pipe").exists():
        os.mkfifo(pictures / "pipe")
    (pictures / "large.png").write_bytes(b"\x89PNG" + b"\0" * 100_001)
    (pictures / "empty.png").touch()
    (pictures / "inner.png").unlink(missing_ok=True)
    (pictures / "inner.png").symlink_to(pictures / "rack_001.png")
    odd = ["deep", "pipe", "large.png", "empty.png", "a" * 5000, "", ".", "rack_001.png/x", "loop"]
    for name in odd:
        answer = rerank(served, name)
        assert answer.status == 200, name
        assert answer.json()["results"][0]["score"] is None, name
        assert str(pictures) not in answer.body.decode()
    assert rerank(served, "inner.png").json()["results"][0]["score"] is not None
    assert rerank(served, str(pictures / "rack_001.png")).json()["results"][0]["score"] is not None


def test_requests_beyond_the_limits_are_413_or_422(served: Served) -> None:
    data = b64encode(b"x").decode()
    too_large = [
        {"query": QUERY, "image_paths": ["rack_001.png"] * 9},
        {"query": "x" * 501, "image_paths": ["rack_001.png"]},
        {"query": QUERY, "images": [{"name": "a", "data": "A" * 300_000}]},
    ]
    assert [served.post("/api/rerank", body).status for body in too_large] == [413] * 3
    group = {"image_id": "a", "image": {"data": data}, "texts": ["x"] * 65}
    assert served.post("/api/score", {"groups": [group]}).status == 413
    assert served.post("/api/score", {"groups": []}).status == 422
    assert served.post("/api/rerank", {"query": "", "image_paths": ["a"]}).status == 422
    assert served.post("/api/rerank", {"query": QUERY}).status == 400


def test_a_long_text_of_a_group_is_cut_as_a_scorer_cuts_it(served: Served, scorer: HashScorer) -> None:
    scorer.turns.clear()
    group = {"image_id": "a", "image": {"data": b64encode(b"x").decode()}, "texts": ["x" * 501, "y" * 500]}
    found = served.post("/api/score", {"groups": [group]}).json()["groups"][0]
    assert found["truncated"] == [True, False]
    assert None not in found["log_odds"]
    assert scorer.turns == [[("a", ("x" * 500, "y" * 500))]]


def test_an_endless_upload_is_answered_before_its_end(served: Served) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(
            b"POST /api/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        connection.sendall(b"%x\r\n%s\r\n" % (len(head), head))
        for _ in range(8):
            connection.sendall(b"10000\r\n" + b"\0" * 65_536 + b"\r\n")
        assert b" 413 " in connection.recv(1_000).splitlines()[0]
    assert served.get("/api/health").status == 200


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 50_000))
        + chunk(b"IEND", b"")
    )


def test_a_thousand_malformed_uploads_cost_nothing_but_an_answer(served: Served, pictures: Path) -> None:
    chance = random.Random(20261122)
    good = (pictures / "rack_001.png").read_bytes()
    boundary = b"--x\r\n"

    def damaged(data: bytes) -> bytes:
        data = bytearray(data)
        for _ in range(chance.randint(1, 30)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randint(1, 50)]
                case 2:
                    data[place:place] = chance.randbytes(chance.randint(1, 20))
            if not data:
                return b""
        return bytes(data)

    whole = (
        boundary + b'Content-Disposition: form-data; name="query"\r\n\r\nq\r\n' + boundary
        + b'Content-Disposition: form-data; name="files"; filename="../../a.png"\r\nContent-Type: image/png\r\n\r\n'
        + good + b"\r\n--x--\r\n"
    )  # fmt: skip
    as_json = json.dumps({"query": "q", "images": [{"name": "a", "data": b64encode(good).decode()}]}).encode()
    kinds = [(whole, "multipart/form-data; boundary=x"), (as_json, "application/json")]
    statuses = set()
    for number in range(1_000):
        body, kind = kinds[number % 2]
        path = ("/api/rerank", "/api/score", "/api/explain")[number % 3 if number % 2 else 0]
        answer = served.ask("POST", path, body=damaged(body), headers={"Content-Type": kind})
        assert answer.status < 500, (number, answer.body)
        if answer.status >= 400:
            assert answer.json()["status"] == answer.status
            assert b"Traceback" not in answer.body and b".py" not in answer.body
        statuses.add(answer.status)
    assert {200, 400, 422} <= statuses
    assert served.get("/api/health").json()["ready"]


def test_decompression_bombs_are_errors_of_that_picture(make_settings: Callable) -> None:
    from served import serving

    from kg_pipeline.config import Scoring

    bombs = [
        ("wide", png_claiming(100_000, 100_000)),
        ("tall", png_claiming(1, 2**31 - 1)),
        ("none", png_claiming(0, 0)),
    ]
    images = [{"name": name, "data": b64encode(data).decode()} for name, data in bombs]
    with serving(make_settings(scoring=Scoring(reranker="none"))) as words:
        started = time.monotonic()
        answer = words.post("/api/rerank", {"query": QUERY, "images": images})
    assert answer.status == 200
    assert [row["score"] for row in answer.json()["results"]] == [None] * 3
    assert time.monotonic() - started < 30


def test_only_the_right_token_opens(make_settings: Callable) -> None:
    with serving_hashes(make_settings(token=SecretStr(TOKEN)), HashScorer()) as guarded:
        body = {"query": QUERY, "image_paths": ["rack_001.png"]}
        wrong = [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer", "Bearer é"]
        for given in wrong:
            headers = {} if given is None else {"Authorization": given.encode()}
            for method, path in (
                ("POST", "/api/rerank"),
                ("POST", "/api/score"),
                ("GET", "/api/models"),
                ("GET", "/metrics"),
            ):
                answer = guarded.ask(method, path, json=body if method == "POST" else None, headers=headers)
                assert answer.status == 401, (given, path)
                assert TOKEN not in answer.body.decode()
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.ask("POST", "/api/rerank", json=body, headers=right).status == 200
        assert guarded.get("/api/health").status == 200
        assert guarded.get("/metrics", headers=right).status == 200


def test_pages_of_other_sites_get_nothing(served: Served) -> None:
    body = {"query": QUERY, "image_paths": ["rack_001.png"]}
    rebound = served.ask("POST", "/api/rerank", json=body, headers={"Host": "evil.example"})
    cross = served.ask("POST", "/api/rerank", json=body, headers={"Origin": "https://evil.example"})
    own = served.ask("POST", "/api/rerank", json=body, headers={"Origin": served.url})
    assert (rebound.status, cross.status, own.status) == (403, 403, 200)


def test_a_server_that_others_reach_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="KG_PIPELINE_API_TOKEN"):
        ServeSettings(home=tmp_path, host="0.0.0.0")
    with pytest.raises(SettingsError, match="printable"):
        ServeSettings(home=tmp_path, host="0.0.0.0", token=SecretStr("short"))
    assert ServeSettings(home=tmp_path, host="0.0.0.0", token=SecretStr(TOKEN)).host == "0.0.0.0"


def test_overload_is_shed_by_429_and_passes(make_settings: Callable) -> None:
    scorer = HashScorer(pairs_at_once=4)
    limits = RequestLimits(waiting_pairs=8)
    body = {"query": QUERY, "image_paths": ["rack_001.png", "rack_002.png"]}
    with serving_hashes(make_settings(limits=limits), scorer) as small:
        scorer.gate.clear()
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(small.post("/api/rerank", body))) for _ in range(40)]
        for client in clients:
            client.start()
        wait_for(lambda: sum(answer.status == 429 for answer in answers) >= 30, 60, "30 refusals")
        scorer.gate.set()
        for client in clients:
            client.join(60)
        shed = [answer for answer in answers if answer.status == 429]
        assert len(answers) == 40
        assert {answer.status for answer in answers} == {200, 429}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in shed)
        assert small.post("/api/rerank", body).status == 200


def test_work_of_a_client_that_went_away_is_dropped(served: Served, scorer: HashScorer) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    batcher = served.services.reranking.batcher
    body = json.dumps({"query": "nobody waits for this", "image_paths": ["rack_001.png"]}).encode()
    scorer.gate.clear()
    scorer.turns.clear()
    holding = threading.Thread(target=rerank, args=(served, "rack_002.png"))
    holding.start()
    wait_for(lambda: scorer.turns, 60, "the first turn")
    with socket.create_connection((host, int(port))) as connection:
        head = "POST /api/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}"
        connection.sendall(head.format(len(body)).encode() + b"\r\n\r\n" + body)
        wait_for(lambda: batcher.waiting_jobs == 2, 60, "the request to be in the queue")
    wait_for(lambda: batcher.waiting_jobs == 1, 60, "its client to be missed")
    scorer.gate.set()
    holding.join(60)
    assert rerank(served, "rack_003.png").status == 200
    assert not any("nobody waits for this" in texts for turn in scorer.turns for _, texts in turn)


def test_a_deadline_that_passes_is_504(make_settings: Callable) -> None:
    scorer = HashScorer()
    with serving_hashes(make_settings(limits=RequestLimits(seconds=0.2)), scorer) as hurried:
        scorer.gate.clear()
        answer = rerank(hurried, "rack_001.png")
        scorer.gate.set()
    assert answer.status == 504
    assert "0 s" in answer.json()["detail"]
