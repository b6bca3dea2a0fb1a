"""Memory of the device: what a row and an image take there, and how many tokens a row may have.

The counts hold what is alive at the worst moment of a forward, found by following every tensor of the published shapes
(tests/reranking/test_reranking_memory.py); they were not measured on a card. A run records what it really took.
"""

from types import MethodType
from typing import Any

from kg_pipeline.reranking.packing import BLOCK
from kg_pipeline.reranking.protocol import RerankerError

LIMIT_BYTES = 20_000_000_000
"""A 24 GB card, shared with a desktop and with what torch itself takes, has so much for certain."""
SHARE_OF_FREE = 0.85
"""Of a smaller or busy card; the rest is lost to fragments and to the CUDA context."""
MOST_TOKENS, LEAST_TOKENS, CPU_TOKENS = 16_384, 512, 8_192
"""More in one forward make nothing faster: a few thousand keep an H200 busy (989 TFLOP/s / 4.8 TB/s = 206 FLOP/B)."""
FEED_FORWARD_TOKENS = 2_048
"""Tokens that go through a feed-forward layer at once: its inner width is five times that of the model."""
STATES = 11
"""Tensors of the model's width that live at once in a layer: residuals, norms, queries and keys before and after."""
MASK_BYTES = 6
"""Per pair of tokens, while a block mask is made."""
VISION_STATES = 14
"""As STATES, in the vision tower, where the rotation is computed in fp32."""


def row_bytes(config: dict[str, Any], tokens: int, item_bytes: int) -> int:
    """Activations of a row of `tokens`, with its block mask."""
    text = config.get("text_config") or config
    width = max(text["hidden_size"], text["num_attention_heads"] * (text.get("head_dim") or 0))
    states = STATES * tokens * width * item_bytes
    inner = 3 * min(tokens, FEED_FORWARD_TOKENS) * text["intermediate_size"] * item_bytes
    return int(max(states, states // 2 + inner) + MASK_BYTES * tokens**2)


def image_bytes(config: dict[str, Any], tokens: int, item_bytes: int) -> int:
    """Activations of images of so many `tokens` in the vision tower, and their features."""
    vision = config["vision_config"]
    patches = tokens * vision.get("spatial_merge_size", 2) ** 2
    inner = 3 * vision["intermediate_size"]
    features = tokens * vision["out_hidden_size"] * (1 + len(vision.get("deepstack_visual_indexes") or []))
    return int(item_bytes * (patches * (VISION_STATES * vision["hidden_size"] + inner) + features))


def token_budget(
    config: dict[str, Any], parameters: int, item_bytes: int, free_bytes: int, image_tokens: int
) -> tuple[int, int]:
    """Tokens of a row on a card with so much free memory, and the bytes that the model then takes at most.

    `image_tokens` go through the vision tower at once. Raises RerankerError when the weights do not fit.
    """
    limit = min(LIMIT_BYTES, int(free_bytes * SHARE_OF_FREE))
    weights = parameters * item_bytes

    def peak(tokens: int) -> int:
        return weights + max(row_bytes(config, tokens, item_bytes), image_bytes(config, image_tokens, item_bytes))

    for tokens in range(MOST_TOKENS, LEAST_TOKENS - 1, -BLOCK):
        if peak(tokens) <= limit:
            return tokens, peak(tokens)
    raise RerankerError(
        f"the weights take {weights / 1e9:.1f} GB and the smallest row {peak(LEAST_TOKENS) / 1e9:.1f} GB in all, of "
        f"{free_bytes / 1e9:.1f} GB free on the device only {limit / 1e9:.1f} GB may be used: take a smaller "
        "checkpoint (Qwen3-VL-Reranker-2B), or give scoring.token_budget to try nevertheless"
    )


def slice_feed_forward(language_model: Any) -> None:
    """Let every layer of the language model compute its feed-forward part for FEED_FORWARD_TOKENS at a time.

    The 7B holds 143 kB per token of a row without this and 65 kB with it; on a CPU the slices stay in its cache.
    """
    for layer in language_model.layers:
        layer.mlp.forward = MethodType(_sliced, layer.mlp)


def _sliced(feed_forward: Any, states: Any) -> Any:
    import torch

    whole = type(feed_forward).forward
    if states.shape[1] <= FEED_FORWARD_TOKENS:
        return whole(feed_forward, states)
    output = torch.empty_like(states)
    for start in range(0, states.shape[1], FEED_FORWARD_TOKENS):
        part = slice(start, start + FEED_FORWARD_TOKENS)
        output[:, part] = whole(feed_forward, states[:, part])
    return output
