"""POST /api/rerank, /api/score and their kin, over a real server with the tiny checkpoint."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from served import Served, serving

from kg_pipeline.config import Scoring
from kg_pipeline.reranking import choose_reranker, score_files

QUERY = "服务器机柜内红色报警灯亮起"
NAMES = ["rack_001.png", "rack_002.png", "rack_003.png"]


@pytest.fixture(scope="module")
def directly(tiny_scoring: Scoring) -> Callable:
    """Log-odds of files and texts by the reranker itself, without a server."""
    rerankers = {
        direction: choose_reranker(tiny_scoring.model_copy(update={"direction": direction})).reranker
        for direction in ("text-to-image", "image-to-text")
    }

    def scored(direction: str, images: list[Path], texts: list[str]) -> list[float]:
        return [row["log_odds"] for row in score_files(rerankers[direction], list(map(str, images)), texts)]

    return scored


def test_the_articles_request_gets_the_articles_answer(server: Served, pictures: Path, directly: Callable) -> None:
    answer = server.post("/api/rerank", {"query": QUERY, "image_paths": NAMES}).json()
    results = answer["results"]
    assert {"results", "total_time_ms", "scorer", "direction"} == set(answer)
    assert answer["direction"] == "text-to-image"
    assert "/text-to-image/" in answer["scorer"]
    assert sorted(row["image_path"] for row in results) == NAMES
    assert [row["rank"] for row in results] == [1, 2, 3]
    assert [row["log_odds"] for row in results] == sorted((row["log_odds"] for row in results), reverse=True)
    wanted = dict(zip(NAMES, directly("text-to-image", [pictures / name for name in NAMES], [QUERY]), strict=True))
    for row in results:
        assert row["log_odds"] == pytest.approx(wanted[row["image_path"]], abs=2e-3)
        assert row["confidence"] == pytest.approx(row["score"] / 10)
        assert row["raw_output"].startswith(f"Score: {row['score']:.1f} — ")
    assert results[0]["margin"] == pytest.approx(-results[1]["margin"])


def test_paths_uploads_and_base64_give_the_same_scores(server: Served, pictures: Path) -> None:
    by_path = server.post("/api/rerank", {"query": QUERY, "image_paths": NAMES}).json()["results"]
    files = [(name, (pictures / name).read_bytes()) for name in NAMES]
    images = [{"name": name, "data": b64encode(data).decode()} for name, data in files]
    by_base64 = server.post("/api/rerank", {"query": QUERY, "images": images}).json()["results"]
    form = [("query", QUERY), *(("files", (name, data, "image/png")) for name, data in files)]
    uploaded = server.ask("POST", "/api/rerank", fields=form).json()["results"]
    assert [row["image_path"] for row in by_path] == [row["image_path"] for row in by_base64]
    assert [row["image_path"] for row in by_path] == [row["image_path"] for row in uploaded]
    for one, two, three in zip(by_path, by_base64, uploaded, strict=True):
        assert one["log_odds"] == pytest.approx(two["log_odds"], abs=2e-3)
        assert one["log_odds"] == pytest.approx(three["log_odds"], abs=2e-3)


def test_what_cannot_be_read_comes_last_with_an_error(server: Served, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    answer = server.post("/api/rerank", {"query": QUERY, "image_paths": ["broken.png", "gone.png", NAMES[0]]})
    results = answer.json()["results"]
    assert answer.status == 200
    assert [row["image_path"] for row in results] == [NAMES[0], "broken.png", "gone.png"]
    assert [row["rank"] for row in results] == [1, None, None]
    assert "No such file" in results[2]["error"]
    assert all(row["raw_output"].startswith("Score: none — ") for row in results[1:])
    assert str(pictures) not in answer.body.decode()


def test_scores_of_groups_come_in_the_order_of_the_request(server: Served, pictures: Path, directly: Callable) -> None:
    texts = [["a red lamp", "a desk", "a red lamp"], ["the fan"]]
    data = b64encode((pictures / NAMES[1]).read_bytes()).decode()
    groups = [
        {"image_id": "b", "image": {"data": data}, "texts": texts[0]},
        {"image_id": "a", "image": {"path": NAMES[0]}, "texts": texts[1]},
        {"image_id": "none", "image": {"data": "!"}, "texts": ["x"]},
    ]
    for direction in ("image-to-text", "text-to-image"):
        answer = server.post("/api/score", {"direction": direction, "groups": groups}).json()
        assert [group["image_id"] for group in answer["groups"]] == ["b", "a", "none"]
        assert answer["groups"][2]["log_odds"] == [None]
        assert "base64" in answer["groups"][2]["error"]
        assert f"/{direction}/" in answer["scorer"]
        wanted = [
            directly(direction, [pictures / NAMES[1]], texts[0]),
            directly(direction, [pictures / NAMES[0]], texts[1]),
        ]
        for group, expected in zip(answer["groups"], wanted, strict=False):
            assert group["log_odds"] == pytest.approx(expected, abs=2e-3)
            assert group["error"] is None
            assert group["truncated"] == [False] * len(expected)


def test_another_scorer_than_the_client_expects_is_a_conflict(server: Served) -> None:
    groups = [{"image_id": "a", "image": {"path": NAMES[0]}, "texts": ["x"]}]
    answer = server.post("/api/score", {"scorer": "another", "groups": groups})
    assert answer.status == 409
    assert answer.json()["status"] == 409


def test_health_models_and_metrics_say_who_scores(server: Served) -> None:
    health = server.get("/api/health").json()
    assert health["ready"] and health["waiting_pairs"] == 0
    models = server.get("/api/models").json()
    assert {model["direction"] for model in models["models"]} == {"text-to-image", "image-to-text"}
    server.post("/api/rerank", {"query": QUERY, "image_paths": NAMES})
    metrics = server.get("/metrics").body.decode()
    assert 'kg_pipeline_requests_total{method="POST",route="/api/rerank",status="200"}' in metrics
    assert QUERY not in metrics


def test_without_a_model_words_score_and_the_answer_says_so(make_settings: Callable, pictures: Path) -> None:
    (pictures / "torque_wrench.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>Tighten M6 bolts</text></svg>'
    )
    with serving(make_settings(scoring=Scoring(reranker="none"))) as served:
        body = {"query": "tighten the M6 bolts with the torque wrench", "image_paths": ["torque_wrench.svg", NAMES[0]]}
        answer = served.post("/api/rerank", body).json()
    best, other = answer["results"]
    assert best["image_path"] == "torque_wrench.svg"
    assert best["score"] > 4 > 1 > other["score"]
    assert "No model looks at the pictures" in answer["note"]
    assert answer["scorer"].startswith("evidence-model/")
    assert "by words only: words of the file name" in best["raw_output"]
