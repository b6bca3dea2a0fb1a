"""What goes wrong while scoring: memory, the device, a picture, a number that is none."""

import pytest

from kg_pipeline.reranking import RerankerError, score_pairs
from kg_pipeline.reranking.attention import block_mask, dense_steps, packed_attention
from kg_pipeline.reranking.packing import Branch, Row, Segment, Tree, lay_out
from kg_pipeline.reranking.protocol import ImageTexts
from kg_pipeline.storage import ScoreLedger

torch = pytest.importorskip("torch")

TEXTS = ("lamp", "torque wrench, step 7", "机柜", "red handle of the valve")


@pytest.fixture
def reranker(engine):
    made = engine()
    assert made.model
    return made


@pytest.fixture
def groups(picture, png):
    pictures = [png(picture(60 + 30 * number, 50)) for number in range(4)]
    return [ImageTexts(str(number), lambda data=data: data, TEXTS) for number, data in enumerate(pictures)]


def scored(reranker, groups):
    return {scores.image_id: scores for scores in reranker.score(groups)}


def test_out_of_memory_halves_the_budget_and_goes_on(reranker, groups, monkeypatch, caplog):
    expected = scored(reranker, groups)
    in_memory, score = 300, reranker.model.score

    def small_card(row, *rest):
        if len(row) > in_memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return score(row, *rest)

    monkeypatch.setattr(reranker.model, "score", small_card)
    found = scored(reranker, groups)
    for image, scores in expected.items():
        assert found[image].log_odds == pytest.approx(scores.log_odds, abs=1e-4)
    assert reranker.token_budget <= in_memory
    assert "budget is halved" in caplog.text
    facts = reranker.facts()
    assert facts["token_budget"] == reranker.token_budget
    assert facts["out_of_memory"] > 0


def test_out_of_memory_in_the_vision_tower_encodes_fewer_images(reranker, groups, monkeypatch):
    expected, encode = scored(reranker, groups), reranker.model.encode
    monkeypatch.setattr(reranker, "image_tokens_at_once", reranker.image_tokens_at_once)

    def small_card(images):
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(images)

    monkeypatch.setattr(reranker.model, "encode", small_card)
    found = scored(reranker, groups)
    assert [found[i].log_odds for i in found] == [pytest.approx(expected[i].log_odds, abs=1e-4) for i in found]


def test_one_prompt_that_does_not_fit_is_an_error_that_says_so(reranker, groups, monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(reranker.model, "score", no_memory)
    with pytest.raises(RerankerError, match=r"one prompt of \d+ tokens does not fit"):
        scored(reranker, groups)


@pytest.mark.parametrize(
    "lost_as",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_device_ends_the_run_and_keeps_what_was_scored(reranker, groups, monkeypatch, tmp_path, lost_as):
    import polars as pl

    from kg_pipeline.ids import sha256_text

    pictures = {group.image_id: group.load() for group in groups}
    pairs = pl.DataFrame(
        [
            {"image_id": image, "text_kind": "chunk", "text_id": text, "text_sha256": sha256_text(text)}
            for image in pictures
            for text in TEXTS
        ]
    )
    texts = pl.DataFrame({"text": TEXTS, "text_sha256": [sha256_text(text) for text in TEXTS]})
    calls, score = [], reranker.model.score

    def lost(row, *rest):
        if calls:
            raise lost_as
        calls.append(row)
        return score(row, *rest)

    reranker.token_budget = 320
    with monkeypatch.context() as patch:
        patch.setattr(reranker.model, "score", lost)
        with pytest.raises(RerankerError, match="the device failed: CUDA error"):
            score_pairs(reranker, ScoreLedger(tmp_path), pairs, texts, pictures.__getitem__)
    frame, report = score_pairs(reranker, ScoreLedger(tmp_path), pairs, texts, pictures.__getitem__)
    assert 0 < report.ledger_hits < len(pairs)
    assert report.ledger_hits + report.model_calls == len(pairs)
    assert frame["log_odds"].null_count() == 0


def test_a_score_that_is_not_a_number_is_none_and_counted(reranker, groups, monkeypatch):
    score = reranker.model.score
    monkeypatch.setattr(reranker.model, "score", lambda *args: [float("nan"), *score(*args)[1:]])
    found = scored(reranker, groups[:1])["0"]
    assert found.log_odds[0] is None
    assert None not in found.log_odds[1:]
    assert found.error == "1 of 4 scores are not a number"


def test_a_picture_that_cannot_be_read_costs_only_its_own_pairs(reranker, groups, picture, png):
    def gone():
        raise OSError("No such file")

    whole = png(picture(80, 80))
    bad = {
        "cut": lambda: whole[: len(whole) // 2],
        "text": lambda: b"hello",
        "empty": lambda: b"",
        "gone": gone,
        "line": lambda: png(picture(900, 2)),
    }
    mixed = [groups[0], *(ImageTexts(name, load, TEXTS) for name, load in bad.items()), groups[1]]
    found = scored(reranker, mixed)
    assert list(found) and set(found) == {"0", "1", *bad}
    for name in bad:
        assert found[name].log_odds == (None,) * 4
        assert found[name].error
    assert None not in found["0"].log_odds + found["1"].log_odds


def test_no_texts_and_no_groups(reranker, groups):
    assert list(reranker.score([])) == []
    assert scored(reranker, [ImageTexts("a", groups[0].load, ())])["a"].log_odds == ()


def test_memory_of_an_image_is_given_back_when_its_last_pair_is_scored(reranker, groups, monkeypatch):
    held, score = [], reranker.model.score

    def watching(row, features, budget):
        held.append(len(features))
        return score(row, features, budget)

    monkeypatch.setattr(reranker.model, "score", watching)
    monkeypatch.setattr("kg_pipeline.reranking.qwen_vl.IMAGE_TOKENS_AT_ONCE", 8)
    reranker.token_budget = 320
    assert len(scored(reranker, groups * 6)) == 4
    assert max(held) <= 4


def test_the_block_mask_of_a_gpu_lets_the_same_tokens_see_each_other():
    import numpy as np

    def text(length):
        return Segment(np.zeros(length, dtype=np.int64))

    trees = tuple(
        Tree(text(prefix), tuple(Branch(text(length), (n, i)) for i, length in enumerate(lengths)))
        for n, (prefix, lengths) in enumerate(
            # The prefixes of 40 and 33 and the prompts of 29 and 24 tokens are batched.
            [(40, (30, 25, 1)), (7, (60, 50)), (20, (9,)), (33, (2, 2)), (16, (8,)), (2, (3,)), (0, (4, 4))]
        )
    )
    layout = lay_out(Row(trees), 384)
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, heads, 384, 16) for heads in (4, 2, 2))
    dense, _ = packed_attention(None, query, key, value, scaling=0.25, row=dense_steps(layout, query.dtype, "cpu"))
    flex, _ = packed_attention(None, query, key, value, scaling=0.25, row=block_mask(layout, "cpu"))
    length = layout.spans[-1].end
    assert torch.allclose(dense[:, :length], flex[:, :length], atol=1e-5)
    assert not flex.isnan().any()
