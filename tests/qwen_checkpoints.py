"""Random checkpoints of the real architectures with the real Qwen vocabulary: what a reranker can be tested on."""

import base64
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
VOCABULARY = 152064
SHARPNESS = 40.0
"""Factor on the last norm of TINY, less for wider ones: log-odds of all texts would else be within 0.05 of each other,
and a wrong mask would not show; much more, and the rounding of fp32 would."""

# The chat template of Qwen2.5-VL and Qwen3-VL, without the branches for videos and tools.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """Widths and layer counts."""

    hidden: int = 64
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 128
    vision_hidden: int = 32
    vision_layers: int = 4
    vision_heads: int = 2
    vision_mlp: int = 64


TINY = Shape()
MID_SIZE = Shape(256, 8, 8, 2, 768, 128, 8, 4, 256)

LYCHEE_7B = ("qwen2_5_vl", Shape(3584, 28, 28, 4, 18944, 1280, 32, 16, 3420))
QWEN3_2B = ("qwen3_vl", Shape(2048, 28, 16, 8, 6144, 1024, 24, 16, 4096))
QWEN3_8B = ("qwen3_vl", Shape(4096, 36, 32, 8, 12288, 1152, 27, 16, 4304))
"""Published shapes: Qwen/Qwen2.5-VL-7B-Instruct, Qwen/Qwen3-VL-2B-Instruct and -8B-Instruct, config.json."""


@cache
def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Tokens and merges of the Qwen vocabulary, from the tiktoken file in the wheel `dashscope`."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    spec = importlib.util.find_spec("dashscope")
    assert spec and spec.submodule_search_locations
    lines = (Path(spec.submodule_search_locations[0]) / "resources" / "qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines)}
    letters = bytes_to_unicode()

    def written(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    # A merge for every way to cut a token in two known ones, in the order of the ranks, as in TikTokenConverter.
    merges = []
    for token, rank in ranks.items():
        cuts = [(token[:at], token[at:]) for at in range(1, len(token))]
        known = sorted(
            (cut for cut in cuts if cut[0] in ranks and cut[1] in ranks), key=lambda c: (ranks[c[0]], ranks[c[1]])
        )
        merges += [(rank, written(left), written(right)) for left, right in known]
    merges.sort(key=lambda merge: merge[0])
    return {written(token): rank for token, rank in ranks.items()}, [(left, right) for _, left, right in merges]


@cache
def tokenizer() -> Any:
    """The tokenizer of Qwen2.5-VL."""
    from transformers import Qwen2Tokenizer

    vocab, merges = vocabulary()
    made = Qwen2Tokenizer(vocab=dict(vocab), merges=list(merges))
    made.add_special_tokens({"additional_special_tokens": list(SPECIALS)})
    return made


def build_checkpoint(
    folder: Path, model_type: str = "qwen2_5_vl", shape: Shape = TINY, *, scale: float = 4.0, dtype: str = "float32"
) -> Path:
    """Write a checkpoint with random weights, always the same; `scale` spreads the log-odds of different texts."""
    import torch

    model = random_model(model_type, shape, scale).to(getattr(torch, dtype))
    model.save_pretrained(folder)
    processor(model_type).save_pretrained(folder)
    return folder


def random_model(model_type: str, shape: Shape, scale: float = 4.0) -> Any:
    """The model, in fp32."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration

    torch.manual_seed(20261122)
    if model_type == "qwen2_5_vl":
        model: Any = Qwen2_5_VLForConditionalGeneration(_qwen2_5_config(shape))
    else:
        model = Qwen3VLForConditionalGeneration(_qwen3_config(shape))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "embed" not in name and "lm_head" not in name:
                weight.mul_(scale)
            elif "bias" in name or "norm" in name:  # all zero or one at first: a wrong use of them would not show
                weight.add_(torch.randn_like(weight) * 0.1)
        model.model.language_model.norm.weight.mul_(SHARPNESS * TINY.hidden / shape.hidden)
    return model.eval()


@cache
def meta_model(published: tuple[str, Shape]) -> Any:
    """A model in BF16 without numbers in it: shapes only."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration

    model_type, shape = published
    with torch.device("meta"):
        if model_type == "qwen2_5_vl":
            model: Any = Qwen2_5_VLForConditionalGeneration(_qwen2_5_config(shape))
        else:
            model = Qwen3VLForConditionalGeneration(_qwen3_config(shape))
    return model.to(torch.bfloat16).eval()


def processor(model_type: str) -> Any:
    """The processor with tokenizer and chat template."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor, Qwen3VLProcessor
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

    if model_type == "qwen2_5_vl":
        return Qwen2_5_VLProcessor(
            Qwen2VLImageProcessor(), tokenizer(), Qwen2VLVideoProcessor(), chat_template=CHAT_TEMPLATE
        )
    images = Qwen2VLImageProcessor(patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return Qwen3VLProcessor(images, tokenizer(), Qwen3VLVideoProcessor(), chat_template=CHAT_TEMPLATE)


def _qwen2_5_config(shape: Shape) -> Any:
    from transformers import Qwen2_5_VLConfig

    rotated = shape.hidden // shape.heads // 2
    return Qwen2_5_VLConfig(
        text_config=_text_config(shape, [rotated - 2 * (rotated * 3 // 8), rotated * 3 // 8, rotated * 3 // 8]),
        vision_config={
            "depth": shape.vision_layers,
            "hidden_size": shape.vision_hidden,
            "intermediate_size": shape.vision_mlp,
            "num_heads": shape.vision_heads,
            "out_hidden_size": shape.hidden,
            # every fourth block sees the whole image, as in the 7B
            "fullatt_block_indexes": list(range(3, shape.vision_layers, 4)),
            "tokens_per_second": 2,
        },
        tie_word_embeddings=False,
    )


def _qwen3_config(shape: Shape) -> Any:
    from transformers import Qwen3VLConfig

    rotated = shape.hidden // shape.heads // 2
    text = _text_config(shape, [rotated - 2 * (rotated * 5 // 16), rotated * 5 // 16, rotated * 5 // 16])
    return Qwen3VLConfig(
        text_config={**text, "head_dim": shape.hidden // shape.heads, "tie_word_embeddings": True},
        vision_config={
            "depth": shape.vision_layers,
            "hidden_size": shape.vision_hidden,
            "intermediate_size": shape.vision_mlp,
            "num_heads": shape.vision_heads,
            "out_hidden_size": shape.hidden,
            "deepstack_visual_indexes": [0, 1, 2],
            "num_position_embeddings": 256,
        },
        tie_word_embeddings=True,
    )


def _text_config(shape: Shape, sections: list[int]) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections},
    }
