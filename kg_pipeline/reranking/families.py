"""What differs between the families of yes/no rerankers; everything else about them is the same."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Family:
    """One architecture and the limits that its model card sets."""

    architecture: str
    token_side: int
    """Pixels of the side of an image token."""
    min_pixels: int
    max_pixels: int
    max_length: int
    """Tokens of the longest prompt; the text of a longer one is cut."""
    empty_text: str
    """What stands in the prompt for a text without content."""
    vision_attention: Literal["windows", "full"]
    """Whether most vision blocks look at windows of 8 x 8 patches, or all at the whole image."""
    deepstack: bool
    """Whether features of early vision blocks are added to the first layers of the language model."""
    instruction: str
    """The instruction of the model card."""


FAMILIES = {
    # vec-ai/lychee-rerank-mm, README; EIT-NLP/MCMR eval/rerank/lychee_rerank_mm.py
    "qwen2_5_vl": Family(
        architecture="Qwen2_5_VLForConditionalGeneration",
        token_side=28,
        min_pixels=4 * 28 * 28,
        max_pixels=1280 * 28 * 28,
        max_length=3200,
        empty_text="",
        vision_attention="windows",
        deepstack=False,
        instruction="Given a web search query, retrieve relevant passages that answer the query",
    ),
    # QwenLM/Qwen3-VL-Embedding, src/models/qwen3_vl_reranker.py
    "qwen3_vl": Family(
        architecture="Qwen3VLForConditionalGeneration",
        token_side=32,
        min_pixels=4 * 32 * 32,
        max_pixels=1800 * 32 * 32,
        max_length=10240,
        empty_text="NULL",
        vision_attention="full",
        deepstack=True,
        instruction="Given a search query, retrieve relevant candidates that answer the query.",
    ),
}
"""By `model_type` of config.json."""
