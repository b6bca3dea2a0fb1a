"""The reranker behind vLLM's score endpoint, against a server with the shapes that vLLM documents."""

import base64
import math
from io import BytesIO

import pytest
from json_server import Answer, Asked, json_server
from PIL import Image

from kg_pipeline.config import Limits, Scoring
from kg_pipeline.model_sections import RemoteReranker as RemoteSection
from kg_pipeline.reranking import ImageTexts, RerankerError, choose_reranker

MODEL = "Qwen/Qwen3-VL-Reranker-2B"


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


class Vllm:
    """Scores a pair by width of the picture and length of the text: logit = (length - width / 10), its sigmoid."""

    def __init__(self) -> None:
        self.models = [{"id": MODEL, "object": "model", "root": MODEL, "max_model_len": 4096}]
        self.knows_use_activation = True
        self.knows_instruction = True
        self.activation = sigmoid
        self.longest = 200
        self.requests: list[dict] = []
        self.pictures: list[Image.Image] = []

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer({"object": "list", "data": self.models})
        if asked.path != "/score":
            return Answer({"detail": "Not Found"}, 404)
        body = asked.body
        self.requests.append(body)
        listed = [body[name] if isinstance(body[name], list) else [body[name]] for name in ("queries", "documents")]
        if len(listed[0]) == 1:
            listed[0] *= len(listed[1])
        assert len(listed[0]) == len(listed[1]), "1:1, 1:N or N:N"
        try:
            scores = [self._score(one, other, body) for one, other in zip(*listed, strict=True)]
        except ValueError as error:
            return Answer({"error": {"message": str(error), "type": "BadRequestError", "code": 400}}, 400)
        data = [{"index": place, "object": "score", "score": score} for place, score in enumerate(scores)]
        return Answer({"id": "score-1", "object": "list", "created": 1, "model": body["model"], "data": data[::-1]})

    def _score(self, one: object, other: object, body: dict) -> float:
        text, part = (one, other) if isinstance(one, str) else (other, one)
        assert isinstance(text, str)
        assert isinstance(part, dict)
        (content,) = part["content"]
        head, _, data = content["image_url"]["url"].partition(";base64,")
        assert head.startswith("data:image/")
        with Image.open(BytesIO(base64.b64decode(data))) as picture:
            picture.load()
            self.pictures.append(picture)
        if len(text) > self.longest:
            raise ValueError(f"this model's maximum context length is {self.longest} tokens")
        logit = len(text) - picture.width / 10
        if self.knows_instruction and body.get("instruction"):
            logit += 0.125
        raw = self.knows_use_activation and body.get("use_activation") is False
        return logit if raw else self.activation(logit)


@pytest.fixture
def vllm():
    return Vllm()


@pytest.fixture
def reranker(vllm):
    """Makes a remote reranker that asks the server; keyword arguments are settings of scoring."""
    with json_server(vllm) as url:

        def made(path="", model=None, **scoring):
            section = RemoteSection(url=url + path, api="vllm", model=model, parallel=2)
            return choose_reranker(Scoring(reranker="remote", remote=section, **scoring), Limits()).reranker

        yield made


def png(width, height=40, **options):
    buffer = BytesIO()
    Image.new(options.pop("mode", "RGB"), (width, height), options.pop("colour", "navy")).save(
        buffer, options.pop("format", "PNG"), **options
    )
    return buffer.getvalue()


def image(width, *texts, data=None):
    return ImageTexts(f"image {width}", lambda: data or png(width), texts)


@pytest.mark.parametrize("direction", ["image-to-text", "text-to-image"])
def test_scores_are_the_logits_where_the_server_leaves_them(vllm, reranker, direction):
    mine = reranker(direction=direction)
    first, second = mine.score([image(300, "a" * 32, "b" * 70), image(400, "c" * 20)])
    assert first.log_odds == (2.0, 40.0)  # beyond what a probability in fp32 could say
    assert second.log_odds == (-20.0,)
    assert mine.fingerprint.startswith(f"vllm/{MODEL}/{direction}/")
    body = vllm.requests[-1]
    assert isinstance(body["queries"], dict if direction == "image-to-text" else list)
    assert body["model"] == MODEL


def test_an_older_server_that_ignores_the_wish_gives_probabilities_and_log_odds_are_made_of_them(vllm, reranker):
    with_logits = reranker().fingerprint
    vllm.knows_use_activation = False
    mine = reranker()
    (scores,) = mine.score([image(300, "a" * 32, "b" * 70)])
    assert scores.log_odds[0] == pytest.approx(2.0, abs=1e-6)
    assert scores.log_odds[1] == pytest.approx(math.log(2.0**24 - 1))
    assert mine.fingerprint != with_logits


@pytest.mark.parametrize("activation", [lambda logit: logit, lambda logit: logit / 100])
def test_scores_that_are_no_probabilities_are_an_error(vllm, reranker, activation):
    vllm.activation = activation
    with pytest.raises(RerankerError, match="are no probabilities"):
        reranker()


def test_the_instruction_is_sent_and_a_server_that_ignores_it_is_an_error(vllm, reranker):
    plain, told = reranker(), reranker(instruction="find the lamp")
    assert vllm.requests[-2]["instruction"] == "find the lamp"
    assert told.fingerprint != plain.fingerprint
    vllm.knows_instruction = False
    with pytest.raises(RerankerError, match=r"ignores scoring\.instruction"):
        reranker(instruction="find the lamp")


def test_a_text_beyond_the_models_length_has_no_score_and_the_others_have(reranker):
    (scores,) = reranker().score([image(100, "a" * 9, "b" * 500, "c" * 12)])
    assert scores.log_odds == (-1.0, None, 2.0)
    assert "400, BadRequestError" in (scores.error or "")


def test_a_picture_arrives_upright_and_on_white(vllm, reranker):
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = png(30, 40, mode="RGBA", colour=(0, 0, 0, 0))
    mine = reranker()
    vllm.pictures.clear()
    list(
        mine.score(
            [
                image(1, "a", data=png(60, 40, format="JPEG", exif=turned)),
                image(2, "a", data=clear),
                image(3, "a", data=png(50, 20, format="TIFF")),
                image(4, "a", data=png(44, 20, format="JPEG")),
            ]
        )
    )
    seen = sorted(((picture.size, picture.format) for picture in vllm.pictures), key=str)
    assert seen == [((30, 40), "PNG"), ((40, 60), "PNG"), ((44, 20), "JPEG"), ((50, 20), "PNG")]
    (on_white,) = [picture for picture in vllm.pictures if picture.size == (30, 40)]
    assert on_white.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


def test_what_is_no_picture_of_pixels_is_not_sent(vllm, reranker):
    mine = reranker()
    asked = len(vllm.requests)
    (scores,) = mine.score([image(1, "a", "b", data=b"<svg xmlns='http://www.w3.org/2000/svg'/>")])
    assert scores.log_odds == (None, None)
    assert "not a picture of pixels" in (scores.error or "")
    assert len(vllm.requests) == asked


def test_the_model_is_the_only_one_that_is_served_or_the_one_that_is_named(vllm, reranker):
    assert f"/{MODEL}/" in reranker("/v1").fingerprint
    vllm.models.append({"id": "other", "root": "other"})
    with pytest.raises(RerankerError, match=r"serves Qwen/Qwen3-VL-Reranker-2B, other: .*scoring\.remote\.model"):
        reranker()
    assert "/other/" in reranker(model="other").fingerprint
    vllm.models.clear()
    with pytest.raises(RerankerError, match="lists no model"):
        reranker()


def test_reasons_are_not_to_be_had_there(reranker):
    with pytest.raises(RerankerError, match="writes no reasons"):
        reranker().explain(png(10), "text")
