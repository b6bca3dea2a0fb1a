"""The weights: images in, features out; a packed row in, log-odds out."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from kg_pipeline.reranking.attention import block_mask, dense_steps, speed_up_vision, use_packed_attention
from kg_pipeline.reranking.checkpoint import Checkpoint
from kg_pipeline.reranking.memory import slice_feed_forward
from kg_pipeline.reranking.packing import Layout, Row, lay_out, padded_size
from kg_pipeline.reranking.pixels import Pixels
from kg_pipeline.reranking.protocol import RerankerError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFeatures:
    """What the language model sees of an image: [tokens, width], and for some families more for its first layers."""

    tokens: Any
    deepstack: tuple[Any, ...] = ()


class QwenVLModel:
    """A loaded checkpoint on one device."""

    def __init__(self, checkpoint: Checkpoint, answers: tuple[int, int], dtype: str, device: str) -> None:
        """Load the weights; `answers` are the ids of yes and no. Raises RerankerError."""
        import torch

        self.device = torch.device(device)
        self.uses_block_masks = self.device.type == "cuda"
        self.dtype = getattr(torch, dtype)
        self.family = checkpoint.family
        self.model = _load(checkpoint, self.dtype, self.device)
        self.visual, self.language = self.model.model.visual, self.model.model.language_model
        speed_up_vision(self.visual)
        use_packed_attention(self.language)
        slice_feed_forward(self.language)
        yes, no = (self.model.lm_head.weight[answer].detach().float() for answer in answers)
        # Log-odds are the difference of two logits: subtracted first, nothing is lost to the rounding of each.
        self.answer = yes - no
        if self.device.type == "cuda" and self.model.lm_head.weight is not self.language.embed_tokens.weight:
            self.model.lm_head.to("cpu")  # 1.1 GB of the 7B; only `explain` needs the whole vocabulary

    def encode(self, images: list[Pixels]) -> list[ImageFeatures]:
        """Features of images, in one pass through the vision tower."""
        import torch

        merge = self.visual.spatial_merge_size
        grid = torch.tensor([[1, image.grid[0] * merge, image.grid[1] * merge] for image in images])
        patches = torch.cat([image.patches for image in images]).to(self.device, self.dtype)
        sizes = [image.tokens for image in images]
        with torch.inference_mode():
            output = self.visual(patches, grid_thw=grid, **self._vision_indices(grid))
            tokens = output.pooler_output.split(sizes)
            deepstack = [feature.split(sizes) for feature in getattr(output, "deepstack_features", None) or ()]
        return [
            ImageFeatures(tokens[number], tuple(layer[number] for layer in deepstack)) for number in range(len(images))
        ]

    def score(self, row: Row, features: dict[int, ImageFeatures], budget: int) -> list[float]:
        """Log-odds of the pairs of a row, in the order of its branches; may be NaN."""
        import torch

        layout = lay_out(row, padded_size(len(row), budget) if self.uses_block_masks else None)
        with torch.inference_mode():
            hidden = self._hidden(layout, features, self._attention(layout))
            last = hidden[torch.from_numpy(layout.last).to(self.device)].float()
            scores: list[float] = (last @ self.answer).tolist()
        return scores

    def write(self, row: Row, features: dict[int, ImageFeatures], end: int, most: int) -> list[int]:
        """Ids of the likeliest answer to the one prompt of `row`, up to the token `end` or `most` tokens."""
        import torch
        from transformers import DynamicCache

        layout, cache = lay_out(row), DynamicCache(config=self.language.config)
        written: list[int] = []
        with torch.inference_mode():
            hidden = self._hidden(layout, features, dense_steps(layout, self.dtype, self.device), cache)[-1]
            position = int(layout.positions[0, -1])
            while len(written) < most:
                head = self.model.lm_head
                token = int(head(hidden.to(head.weight.device)).argmax())
                if token == end:
                    break
                written.append(token)
                position += 1
                output = self.language(
                    inputs_embeds=self.language.embed_tokens(torch.tensor([[token]], device=self.device)),
                    position_ids=torch.full((3, 1, 1), position, device=self.device),
                    past_key_values=cache,
                    use_cache=True,
                    row=None,
                )
                hidden = output.last_hidden_state[0, -1]
        return written

    def _hidden(self, layout: Layout, features: dict[int, ImageFeatures], attention: Any, cache: Any = None) -> Any:
        """Last hidden states [tokens, width] of a row."""
        import torch

        embedded = self.language.embed_tokens(torch.from_numpy(layout.tokens).to(self.device))
        for image, start, end in layout.images:
            embedded[start:end] = features[image].tokens.to(embedded.dtype)
        return self.language(
            inputs_embeds=embedded.unsqueeze(0),
            position_ids=torch.from_numpy(layout.positions).unsqueeze(1).to(self.device),
            past_key_values=cache,
            use_cache=cache is not None,
            row=attention,
            **self._deepstack(layout, features),
        ).last_hidden_state[0]

    def _attention(self, layout: Layout) -> Any:
        if self.uses_block_masks:
            return block_mask(layout, self.device)
        return dense_steps(layout, self.dtype, self.device)

    def _vision_indices(self, grid: Any) -> dict[str, Any]:
        """What the vision tower would compute from the grid, made on the CPU so that the GPU never waits for it."""
        from transformers import vision_utils

        config, merge = self.visual.config, self.visual.spatial_merge_size
        indices = {"position_ids": vision_utils.get_vision_position_ids(grid, merge).to(self.device)}
        if self.family.vision_attention == "windows":
            window_index, window_ends = vision_utils.get_vision_window_index(
                grid, merge, config.window_size, config.patch_size
            )
            indices |= {"window_index": window_index.to(self.device), "cu_window_seqlens": window_ends}
        else:
            taps, weights = vision_utils.get_vision_interpolation_indices_and_weights(
                grid,
                num_grid_per_side=self.visual.num_grid_per_side,
                mode=self.visual.interpolation_mode,
                align_corners=self.visual.interpolation_align_corners,
                spatial_merge_size=merge,
            )
            indices |= {"interp_indices": taps.to(self.device), "interp_weights": weights.to(self.device)}
        return indices

    def _deepstack(self, layout: Layout, features: dict[int, ImageFeatures]) -> dict[str, Any]:
        import torch

        if not self.family.deepstack or not layout.images:
            return {}
        at_image = np.zeros(len(layout.tokens), dtype=bool)
        for _, start, end in layout.images:
            at_image[start:end] = True
        in_order = [features[image].deepstack for image, _, _ in layout.images]
        return {
            "visual_pos_masks": torch.from_numpy(at_image).unsqueeze(0).to(self.device),
            "deepstack_visual_embeds": [torch.cat(layer) for layer in zip(*in_order, strict=True)],
        }


def _load(checkpoint: Checkpoint, dtype: Any, device: Any) -> Any:
    import transformers

    architecture = getattr(transformers, checkpoint.family.architecture)
    try:
        model, report = architecture.from_pretrained(
            checkpoint.folder,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            attn_implementation="sdpa",
            output_loading_info=True,
            device_map={"": device},  # accelerate: from the file to the device, without a copy in memory
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise RerankerError(f"{checkpoint.folder}: the weights cannot be loaded: {error}") from error
    # What a checkpoint lacks is initialized at random, with a warning: the scores would be noise.
    if absent := sorted(report["missing_keys"]):
        raise RerankerError(
            f"{checkpoint.folder}: {len(absent)} weights are not in the checkpoint ({', '.join(absent[:3])}…): "
            "it is incomplete, or its config.json belongs to another model"
        )
    return model.eval()
