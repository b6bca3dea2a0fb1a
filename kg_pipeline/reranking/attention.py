"""Attention over packed rows and over the windows of many images at once, put in the place of the model's own.

Two ways through a row, equal to the last bits: `tree_attention` runs dense attentions, of prefixes of similar length
together and of a few branches each (on the CPU: the mask throws little away), `flex_attention` one kernel with a block
mask on CUDA.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import MethodType
from typing import Any

from kg_pipeline.reranking.packing import BLOCK, Layout, TreeSpan

NAME = "kg_pipeline_packed"
"""Under this name transformers finds `packed_attention`."""
BRANCH_TOKENS = 192
"""Branches that go into one dense attention; their keys are the prefix (about 400 tokens) and themselves, of which
each sees its own: the more branches, the more is computed for nothing."""


MOST_PADDING = 1.25
"""Longest of the spans of one batch against the shortest."""


@dataclass(frozen=True)
class DenseStep:
    """One dense attention: queries from `start` to `end`, keys from both ranges, which may be one."""

    start: int
    end: int
    prefix: tuple[int, int] | None
    mask: Any
    """Additive; None is causal."""


@dataclass(frozen=True)
class CausalBatch:
    """Spans of similar length, each causal within itself, as one batched attention.

    For each alone a small model on the CPU spends more time on the call than on its arithmetic. Padding stands behind
    a span, where its tokens do not look.
    """

    tokens: Any
    """[spans, length]; padding repeats the last token of its span."""
    is_real: Any
    """[spans, length]"""


Steps = list[DenseStep | CausalBatch]


def dense_steps(layout: Layout, dtype: Any, device: Any) -> Steps:
    """The dense attentions of a row; masks are shared by all layers."""
    branching = [span for span in layout.spans if len(span.branch_ends) > 1]
    # A prefix with one branch is a prompt as any other.
    causal = [(span.start, span.prefix_end if len(span.branch_ends) > 1 else span.end) for span in layout.spans]
    steps: Steps = [_causal_step(group, device) for group in _by_length(causal)]
    return steps + [step for span in branching for step in _branch_steps(layout, span, dtype, device)]


def _by_length(spans: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Groups of spans of similar length."""
    group: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[1] - span[0], span)):
        if group and end - start > MOST_PADDING * (group[0][1] - group[0][0]):
            yield group
            group = []
        if end > start:
            group.append((start, end))
    if group:
        yield group


def _causal_step(spans: list[tuple[int, int]], device: Any) -> DenseStep | CausalBatch:
    import torch

    if len(spans) == 1:
        return DenseStep(*spans[0], None, None)
    starts, ends = torch.tensor(spans).unsqueeze(2).unbind(1)
    places = starts + torch.arange(int((ends - starts).max()))
    return CausalBatch(places.minimum(ends - 1).to(device), (places < ends).to(device))


def _branch_steps(layout: Layout, span: TreeSpan, dtype: Any, device: Any) -> Iterator[DenseStep]:
    import torch

    start = span.prefix_end
    for end in _chunk_ends(span):
        branch = torch.from_numpy(layout.branch[start:end])
        seen = (branch[:, None] == branch[None, :]).tril()
        mask = torch.zeros(end - start, span.prefix_end - span.start + end - start, dtype=dtype)
        mask[:, span.prefix_end - span.start :].masked_fill_(~seen, float("-inf"))
        yield DenseStep(start, end, (span.start, span.prefix_end), mask.to(device))
        start = end


def _chunk_ends(span: TreeSpan) -> Iterator[int]:
    start = previous = span.prefix_end
    for end in span.branch_ends:
        if end - start > BRANCH_TOKENS and previous > start:
            yield previous
            start = previous
        previous = end
    yield previous


def block_mask(layout: Layout, device: Any) -> Any:
    """The same as a FlexAttention block mask: own branch and prefix of the own tree, up to oneself."""
    import torch
    from torch.nn.attention.flex_attention import create_block_mask

    tree, branch = (torch.from_numpy(numbers).to(device) for numbers in (layout.tree, layout.branch))

    def sees(batch: Any, head: Any, query: Any, key: Any) -> Any:
        same_branch = (branch[key] == 0) | (branch[key] == branch[query])
        return (tree[query] == tree[key]) & same_branch & (key <= query)

    size = len(layout.tokens)
    return create_block_mask(sees, None, None, size, size, device=device, BLOCK_SIZE=BLOCK)


def tree_attention(query: Any, key: Any, value: Any, steps: Steps, scaling: float) -> Any:
    """Attention [1, heads, tokens, width] by the dense steps; tokens of no step stay zero."""
    import torch

    output = torch.zeros_like(query)
    for step in steps:
        if isinstance(step, CausalBatch):
            queries, keys, values = (states[0][:, step.tokens].transpose(0, 1) for states in (query, key, value))
            attended = dense_attention(queries, keys, values, None, scaling=scaling, causal=True)
            output[0][:, step.tokens[step.is_real]] = attended.transpose(0, 1)[:, step.is_real]
            continue
        own = slice(step.start, step.end)
        keys, values = key[:, :, own], value[:, :, own]
        if step.prefix:
            before = slice(*step.prefix)
            keys, values = torch.cat([key[:, :, before], keys], 2), torch.cat([value[:, :, before], values], 2)
        output[:, :, own] = dense_attention(
            query[:, :, own], keys, values, step.mask, scaling=scaling, causal=step.mask is None
        )
    return output


def dense_attention(query: Any, key: Any, value: Any, mask: Any, *, scaling: float, causal: bool = False) -> Any:
    """Plain attention; heads of keys and values are shared by groups of query heads."""
    from torch.nn.functional import scaled_dot_product_attention

    repeats = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(repeats, dim=1) if repeats > 1 else states for states in (key, value))
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scaling)


@cache
def _flex_kernel(compiled: bool) -> Callable[..., Any]:
    import torch
    from torch.nn.attention.flex_attention import flex_attention

    # Compiled once for all row sizes: one size takes 15 s to compile (unsloth-zoo#868), and after eight different
    # ones torch.compile would go on without a kernel, with the whole matrix of scores in memory.
    kernel: Callable[..., Any] = torch.compile(flex_attention, dynamic=True) if compiled else flex_attention
    return kernel


def packed_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any = None, *, scaling: float, row: Any, **_: Any
) -> tuple[Any, None]:
    """What transformers calls in every layer of the language model.

    `row` are dense steps, a block mask, or None when the last token of a prompt sees all that are cached.
    """
    if row is None:
        output = dense_attention(query, key, value, None, scaling=scaling)
    elif isinstance(row, list):
        output = tree_attention(query, key, value, row, scaling)
    else:
        flex = _flex_kernel(query.device.type == "cuda")
        output = flex(query, key, value, block_mask=row, scale=scaling, enable_gqa=query.shape[1] != key.shape[1])
    return output.transpose(1, 2).contiguous(), None


def use_packed_attention(language_model: Any) -> None:
    """Let every layer of the language model attend by `packed_attention`."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(NAME, packed_attention)
    language_model.config._attn_implementation = NAME


def speed_up_vision(visual: Any) -> None:
    """Batch windows of equal size into one attention, and embed patches by a matrix product instead of Conv3d.

    The convolution's stride is its kernel: it is a matrix product that Conv3d computes 10–20 times slower on some
    versions (pytorch#174051), and wrongly on others (pytorch#163539).
    """
    from torch.nn.functional import linear

    convolution = visual.patch_embed.proj
    weight, bias = convolution.weight.data.flatten(1), convolution.bias
    visual.patch_embed.forward = lambda patches: linear(patches.to(weight.dtype), weight, bias)
    for block in visual.blocks:
        block.attn.forward = MethodType(_batched_windows, block.attn)


def _batched_windows(attention: Any, hidden_states: Any, cu_seqlens: Any, position_embeddings: Any, **_: Any) -> Any:
    """Forward of a vision attention: the blocks of `cu_seqlens` (on the CPU) each attend to themselves."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    count = hidden_states.shape[0]
    query, key, value = attention.qkv(hidden_states).view(count, 3, attention.num_heads, -1).unbind(1)
    cos, sin = (part.unsqueeze(-2).float() for part in position_embeddings)
    query, key = _rotated(query, cos, sin), _rotated(key, cos, sin)
    output = torch.empty_like(query)
    for length, starts in _blocks_by_length(cu_seqlens).items():
        # Neighbours in one view, so that an image of whole windows needs no copy.
        if len(starts) * length == count:
            index: Any = slice(None)
        else:
            index = (torch.tensor(starts)[:, None] + torch.arange(length)).flatten().to(query.device)
        windows = [states[index].view(len(starts), length, attention.num_heads, -1) for states in (query, key, value)]
        attended = scaled_dot_product_attention(*(states.transpose(1, 2) for states in windows))
        output[index] = attended.transpose(1, 2).flatten(0, 1)
    return attention.proj(output.flatten(1))


def _rotated(states: Any, cos: Any, sin: Any) -> Any:
    import torch

    half = states.shape[-1] // 2
    exact = states.float()
    turned = torch.cat((-exact[..., half:], exact[..., :half]), dim=-1)
    return (exact * cos + turned * sin).to(states.dtype)


def _blocks_by_length(cu_seqlens: Any) -> dict[int, list[int]]:
    ends = cu_seqlens.tolist()
    by_length = defaultdict(list)
    for start, end in pairwise(ends):
        by_length[end - start].append(start)
    return by_length
