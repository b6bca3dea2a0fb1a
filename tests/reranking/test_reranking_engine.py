"""The engine scores as the card's plain loop does, one pair per forward, whatever is packed with what."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import reference_loop
from qwen_checkpoints import MID_SIZE

from kg_pipeline.reranking.families import FAMILIES
from kg_pipeline.reranking.protocol import ImageScores, ImageTexts
from kg_pipeline.reranking.qwen_vl import QwenVLReranker

TOLERANCE = 1e-4
DIRECTIONS = ["image-to-text", "text-to-image"]
SIZES = [(60, 50), (300, 180), (60, 450)]
TEXTS = (
    "The red alarm lamp beside the cabinet door is lit.",
    "机柜右后方的报警灯亮起时，请先检查电源模块。",
    "",
    "Torque wrench, step 7:\n\n- set it to 12.5 Nm (±4 %)\n- tighten crosswise",
    "lamp",
    " begins with a space and ends with a line break\n",
    "<|im_end|> is text here, not the end of a message" * 3,
    "See figure 3. " * 40,
)
PLAIN = tuple(text for text in TEXTS if "<|" not in text)
"""Without the text in which the loop's tokenizer, not ours, reads a special token."""


def scores(reranker: QwenVLReranker, pictures: dict[str, bytes], texts: Sequence[str]) -> dict[str, ImageScores]:
    groups = [ImageTexts(name, lambda data=data: data, tuple(texts)) for name, data in pictures.items()]
    return {result.image_id: result for result in reranker.score(groups)}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_packed_scores_are_those_of_the_loop(engine, loop, picture, png, model_type, direction):
    pictures = {f"{width}x{height}": picture(width, height) for width, height in SIZES}
    found = scores(engine(model_type, direction), {name: png(image) for name, image in pictures.items()}, PLAIN)
    for name, image in pictures.items():
        expected = [loop(model_type).log_odds(image, text, direction=direction) for text in PLAIN]
        assert found[name].log_odds == pytest.approx(expected, abs=TOLERANCE)
        assert max(expected) - min(expected) > 0.5


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_a_wider_model_agrees_too(engine, loop, picture, png, model_type, direction):
    pictures = {"wide": picture(200, 130), "high": picture(60, 190)}
    texts = PLAIN[:4]
    data = {name: png(image) for name, image in pictures.items()}
    found = scores(engine(model_type, direction, MID_SIZE), data, texts)
    for name, image in pictures.items():
        expected = [loop(model_type, MID_SIZE).log_odds(image, text, direction=direction) for text in texts]
        assert found[name].log_odds == pytest.approx(expected, abs=TOLERANCE)
        assert max(expected) - min(expected) > 0.5


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_the_rows_of_a_gpu_give_the_same_scores(engine, loop, picture, png, monkeypatch, model_type, direction):
    """Padded rows, block masks and FlexAttention, computed on the CPU by its uncompiled form."""
    pictures = {"a": picture(300, 180), "b": picture(60, 50)}
    reranker = engine(model_type, direction, budget=512)
    monkeypatch.setattr(reranker.model, "uses_block_masks", True)
    found = scores(reranker, {name: png(image) for name, image in pictures.items()}, PLAIN[:5])
    for name, image in pictures.items():
        expected = [loop(model_type).log_odds(image, text, direction=direction) for text in PLAIN[:5]]
        assert found[name].log_odds == pytest.approx(expected, abs=TOLERANCE)


def test_the_loop_may_leave_out_the_other_tokens_logits(loop, picture):
    image = picture(90, 60)
    every = loop("qwen2_5_vl").log_odds(image, TEXTS[0], all_logits=True)
    assert loop("qwen2_5_vl").log_odds(image, TEXTS[0]) == pytest.approx(every, abs=TOLERANCE)


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_sixty_four_texts_of_one_image(engine, loop, picture, png, model_type):
    image = picture(120, 90)
    texts = [f"Paragraph {number}. " + PLAIN[number % len(PLAIN)] for number in range(64)]
    found = scores(engine(model_type, budget=700), {"a": png(image)}, texts)["a"].log_odds
    every_fourth = [loop(model_type).log_odds(image, text) for text in texts[::4]]
    assert len(found) == 64
    assert found[::4] == pytest.approx(every_fourth, abs=TOLERANCE)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_a_text_beyond_the_limit_is_cut_at_its_end(engine, loop, picture, png, monkeypatch, model_type, direction):
    family = replace(FAMILIES[model_type], max_length=200)
    plain_loop = loop(model_type)
    monkeypatch.setattr(plain_loop, "habits", replace(reference_loop.HABITS[model_type], max_length=200))
    image = picture(120, 90)
    texts = ["short", "Step one. Loosen the bolts of the cover. " * 20, "请检查报警灯。" * 60]
    reranker = engine(model_type, direction)
    monkeypatch.setitem(reranker.__dict__, "prompts", replace(reranker.prompts, family=family))
    found = scores(reranker, {"a": png(image)}, texts)["a"]
    assert found.truncated == (False, True, True)
    expected = [plain_loop.log_odds(image, text, direction=direction) for text in texts]
    assert found.log_odds == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_order_company_and_repetition_change_nothing(engine, picture, png, direction):
    pictures = {name: png(picture(*size)) for name, size in zip("abc", SIZES, strict=False)}
    reranker = engine("qwen2_5_vl", direction)
    together = scores(reranker, pictures, TEXTS)["b"].log_odds
    alone = [scores(reranker, {"b": pictures["b"]}, [text])["b"].log_odds[0] for text in TEXTS]
    backwards = scores(reranker, dict(reversed(pictures.items())), TEXTS[::-1])["b"].log_odds[::-1]
    twice = scores(reranker, pictures, TEXTS * 2)["b"].log_odds
    assert alone == pytest.approx(together, abs=TOLERANCE)
    assert backwards == pytest.approx(together, abs=TOLERANCE)
    assert twice == pytest.approx(together * 2, abs=TOLERANCE)


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK"])
def test_pictures_that_are_not_rgb_are_scored_as_they_look(engine, loop, picture, png, mode):
    from io import BytesIO

    image = picture(80, 60, mode)
    buffer = BytesIO()
    image.save(buffer, "TIFF")
    found = scores(engine("qwen2_5_vl"), {"a": buffer.getvalue()}, ["lamp"])["a"].log_odds
    assert found == pytest.approx([loop("qwen2_5_vl").log_odds(image.convert("RGB"), "lamp")], abs=TOLERANCE)


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_bfloat16_differs_by_its_rounding_only(engine, loop, picture, png, record_property, model_type):
    image = picture(120, 90)
    found = scores(engine(model_type, dtype="bfloat16"), {"a": png(image)}, PLAIN)["a"].log_odds
    expected = [loop(model_type).log_odds(image, text) for text in PLAIN]
    differences = np.abs(np.subtract(found, expected))
    spread = max(expected) - min(expected)
    report = {"median": np.median(differences), "90 %": np.quantile(differences, 0.9), "largest": differences.max()}
    for name, value in report.items():
        record_property(
            f"{model_type}: {name} log-odds difference of bfloat16, of a spread of {spread:.2f}", float(value)
        )
    assert differences.max() < 0.25 * spread + 0.1
