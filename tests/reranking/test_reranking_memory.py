"""Memory: what is counted for a row holds for the real shapes, the budget keeps below the limit, nothing grows."""

import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from live_bytes import LiveBytes
from qwen_checkpoints import LYCHEE_7B, QWEN3_2B, QWEN3_8B, meta_model

from kg_pipeline.reranking import RerankerError, memory
from kg_pipeline.reranking.attention import speed_up_vision, use_packed_attention
from kg_pipeline.reranking.model import QwenVLModel
from kg_pipeline.reranking.packing import Branch, Row, Segment, Tree, lay_out
from kg_pipeline.reranking.pixels import Pixels
from kg_pipeline.reranking.protocol import ImageTexts

torch = pytest.importorskip("torch")

PUBLISHED = {"lychee 7B": LYCHEE_7B, "Qwen3-VL 2B": QWEN3_2B, "Qwen3-VL 8B": QWEN3_8B}


@pytest.fixture(scope="module", params=sorted(PUBLISHED))
def published(request):
    """A model of a published shape without numbers in it, made ready as QwenVLModel does."""
    made = meta_model(PUBLISHED[request.param])
    speed_up_vision(made.model.visual)
    use_packed_attention(made.model.language_model)
    memory.slice_feed_forward(made.model.language_model)
    return made


@pytest.mark.parametrize("tokens", [4096, 16384])
def test_a_row_of_a_published_model_takes_no_more_than_is_counted(published, monkeypatch, tokens):
    # The kernel of FlexAttention is one: it holds its output and nothing of the size of the row squared.
    monkeypatch.setattr("kg_pipeline.reranking.attention.tree_attention", lambda query, *_: torch.empty_like(query))
    config = published.config.to_dict()
    width = config["text_config"]["hidden_size"]
    with torch.inference_mode(), LiveBytes() as live:
        published.model.language_model(
            inputs_embeds=torch.empty(1, tokens, width, dtype=torch.bfloat16, device="meta"),
            position_ids=torch.zeros(3, 1, tokens, dtype=torch.long, device="meta"),
            use_cache=False,
            row=[],
        )
    counted = memory.row_bytes(config, tokens, 2) - memory.MASK_BYTES * tokens**2
    assert 0.5 * counted < live.peak <= counted


def test_images_in_the_vision_tower_take_no_more_than_is_counted(published):
    config, tokens, merge = published.config.to_dict(), 4096, published.model.visual.spatial_merge_size
    patch_values = 3 * 2 * config["vision_config"]["patch_size"] ** 2
    images = [Pixels(torch.empty(1024 * merge**2, patch_values, device="meta"), (32, 32))] * 4
    model_type = published.config.model_type
    engine = SimpleNamespace(
        visual=published.model.visual,
        device=torch.device("meta"),
        dtype=torch.bfloat16,
        family=SimpleNamespace(vision_attention="windows" if model_type == "qwen2_5_vl" else "full"),
    )
    engine._vision_indices = lambda grid: QwenVLModel._vision_indices(engine, grid)
    with torch.inference_mode(), LiveBytes() as live:
        QwenVLModel.encode(engine, images)
    counted = memory.image_bytes(config, tokens, 2)
    assert 0.3 * counted < live.peak <= counted


def test_a_block_mask_takes_no_more_than_is_counted():
    from kg_pipeline.reranking.attention import block_mask

    tokens = 2048
    segment = Segment(torch.zeros(100, dtype=torch.long).numpy())
    layout = lay_out(Row((Tree(segment, tuple(Branch(segment, (0, n)) for n in range(18))),)), tokens)
    with LiveBytes() as live:
        block_mask(layout, "cpu")
    assert live.peak <= memory.MASK_BYTES * tokens**2


def test_the_7b_stays_below_twenty_gigabytes_on_a_card_of_24():
    config, parameters = meta_model(LYCHEE_7B).config.to_dict(), 8_292_166_656
    tokens, peak = memory.token_budget(config, parameters, 2, int(23.5e9), 4096)
    assert tokens >= 8192
    assert 16.6e9 < peak <= 20e9
    assert memory.token_budget(config, parameters, 2, int(139e9), 4096) == (tokens, peak)


def test_a_smaller_card_gets_a_smaller_budget_and_a_too_small_one_an_error():
    config, parameters = meta_model(QWEN3_2B).config.to_dict(), 2_127_532_032
    budgets = [memory.token_budget(config, parameters, 2, int(free * 1e9), 4096)[0] for free in (6.5, 8, 24)]
    assert budgets == sorted(budgets)
    assert budgets[0] < budgets[-1] == memory.MOST_TOKENS
    with pytest.raises(RerankerError, match=r"the weights take 4\.3 GB .* of 4\.0 GB free"):
        memory.token_budget(config, parameters, 2, int(4e9), 4096)


def test_slices_change_no_score(engine, picture, png, monkeypatch):
    reranker = engine("qwen2_5_vl")
    group = ImageTexts("a", lambda: png(picture(120, 90)), tuple(f"Step {n}. Loosen the bolts." for n in range(12)))
    (whole,) = reranker.score([group])
    monkeypatch.setattr(memory, "FEED_FORWARD_TOKENS", 37)
    (sliced,) = reranker.score([group])
    assert sliced.log_odds == pytest.approx(whole.log_odds, abs=1e-4)


@pytest.mark.parametrize("direction", ["image-to-text", "text-to-image"])
def test_a_long_run_holds_no_more_than_a_short_one(engine, picture, png, direction):
    reranker = engine("qwen2_5_vl", direction, budget=512)
    pictures = [png(picture(60 + number, 50)) for number in range(5)]

    def groups(count: int) -> Iterator[ImageTexts]:
        for number in range(count):
            yield ImageTexts(str(number), lambda n=number: pictures[n % 5], (f"lamp {number}", "torque wrench"))

    def held(count: int) -> tuple[int, int]:
        for _ in reranker.score(groups(count)):
            pass
        gc.collect()
        # The exact types: what torch.compile leaves behind in other tests has no size.
        tensors = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter)]
        return len(tensors), sum(tensor.nbytes for tensor in tensors)

    held(2)
    assert held(40) == held(10)


def test_scores_come_while_later_groups_are_still_to_be_read(engine, picture, png):
    read = []
    data = png(picture(60, 50))

    def groups() -> Iterator[ImageTexts]:
        for number in range(200):
            read.append(number)
            yield ImageTexts(str(number), lambda: data, ("lamp",))

    stream = engine(budget=256).score(groups())
    next(stream)
    assert len(read) < 100
    stream.close()
