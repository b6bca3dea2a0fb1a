"""Floating point operations of scoring, from the numbers in config.json: what a pair must cost, whoever computes it.

A multiply-add counts as two. Attention counts the pairs of tokens that see each other; norms, rotations and
activations (below 1 %) are left out.
"""

import time
from collections.abc import Sequence
from typing import Any

EFFICIENCY = 0.5
"""Share of the rate of large matrix products that scoring is expected to reach."""
TYPICAL_GRID, TYPICAL_TEXT_TOKENS, TYPICAL_TEXTS = (24, 24), 128, 16
HEADER_TOKENS, ANSWER_TOKENS = 61, 8
"""Tokens around image and text: before and with <|vision_start|>; newline, <Document>: and the suffix."""


def vision_flops(config: dict[str, Any], grid: tuple[int, int]) -> float:
    """One image of `grid` tokens (height, width) through the vision tower."""
    vision = config["vision_config"]
    hidden, depth = vision["hidden_size"], vision["depth"]
    merge = vision.get("spatial_merge_size", 2)
    patch_values = vision.get("in_channels", 3) * vision.get("temporal_patch_size", 2) * vision["patch_size"] ** 2
    tokens = grid[0] * grid[1]
    patches = tokens * merge**2
    mlp_matrices = 3 if config["model_type"] == "qwen2_5_vl" else 2
    per_block = 4 * hidden**2 + mlp_matrices * hidden * vision["intermediate_size"]
    merged = hidden * merge**2
    mergers = 1 + len(vision.get("deepstack_visual_indexes") or [])
    products = patches * (patch_values * hidden + depth * per_block)
    products += mergers * tokens * merged * (merged + vision["out_hidden_size"])
    if config["model_type"] == "qwen2_5_vl":
        whole = len(vision["fullatt_block_indexes"])
        side = vision["window_size"] // vision["patch_size"] // merge
        sides = [[min(side, length - at) for at in range(0, length, side)] for length in grid]
        windows = sum((height * width * merge**2) ** 2 for height in sides[0] for width in sides[1])
        seen = whole * patches**2 + (depth - whole) * windows
    else:
        seen = depth * patches**2
    return float(2 * products + 4 * hidden * seen)


def language_flops(config: dict[str, Any], tokens: int, seen: float) -> float:
    """`tokens` through all layers of the language model, `seen` pairs of tokens attending."""
    text = config.get("text_config") or config
    hidden, heads = text["hidden_size"], text["num_attention_heads"]
    width = text.get("head_dim") or hidden // heads
    attention = hidden * width * (2 * heads + 2 * text["num_key_value_heads"])
    per_layer = attention + 3 * hidden * text["intermediate_size"]
    return float(text["num_hidden_layers"] * (2 * tokens * per_layer + 4 * heads * width * seen))


def head_flops(config: dict[str, Any]) -> float:
    """The logits of the whole vocabulary at one token, which only the loop computes."""
    text = config.get("text_config") or config
    return float(2 * text["hidden_size"] * text["vocab_size"])


def pair_flops(config: dict[str, Any], grid: tuple[int, int], text_tokens: int) -> float:
    """One pair on its own, with the logits of its last token."""
    length = HEADER_TOKENS + grid[0] * grid[1] + ANSWER_TOKENS + text_tokens
    return vision_flops(config, grid) + language_flops(config, length, length * (length + 1) / 2) + head_flops(config)


def packed_flops(config: dict[str, Any], grid: tuple[int, int], texts: Sequence[int]) -> float:
    """One image with texts of so many tokens, the image's part computed once."""
    prefix = HEADER_TOKENS + grid[0] * grid[1]
    branches = [ANSWER_TOKENS + text for text in texts]
    seen = prefix * (prefix + 1) / 2 + sum(branch * prefix + branch * (branch + 1) / 2 for branch in branches)
    return vision_flops(config, grid) + language_flops(config, prefix + sum(branches), seen)


def bound(config: dict[str, Any], grid: tuple[int, int], texts: Sequence[int]) -> float:
    """How many times fewer operations packing needs than the loop."""
    return sum(pair_flops(config, grid, text) for text in texts) / packed_flops(config, grid, texts)


def expected_pairs_per_second(config: dict[str, Any], dtype: str, device: str) -> float:
    """For a 672 x 672 image with 16 texts of 128 tokens, from a matrix product timed on the device."""
    texts = [TYPICAL_TEXT_TOKENS] * TYPICAL_TEXTS
    rate = EFFICIENCY * _matrix_rate(dtype, device)
    return TYPICAL_TEXTS * rate / packed_flops(config, TYPICAL_GRID, texts)


def _matrix_rate(dtype: str, device: str) -> float:
    """Operations per second of a matrix product that fills the device; best of three."""
    import torch

    size = 8192 if device.startswith("cuda") else 512
    factor = torch.ones(size, size, dtype=getattr(torch, dtype), device=device)
    best = float("inf")
    for _ in range(4):  # the first one warms up
        started = time.perf_counter()
        product = factor @ factor
        float(product[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best
