"""The reranker for Qwen-VL yes/no checkpoints: images are encoded once, their prompts packed, scores streamed out."""

import hashlib
import json
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any, TypeVar

from kg_pipeline.config import Limits
from kg_pipeline.images.errors import ImageError
from kg_pipeline.reranking import reasons
from kg_pipeline.reranking.checkpoint import Checkpoint
from kg_pipeline.reranking.flops import expected_pairs_per_second
from kg_pipeline.reranking.memory import CPU_TOKENS, token_budget
from kg_pipeline.reranking.model import ImageFeatures, QwenVLModel
from kg_pipeline.reranking.packing import Branch, Row, Segment, Tree, pack
from kg_pipeline.reranking.pixels import PIXELS_VERSION, PixelReader, Pixels, load_pixel_reader
from kg_pipeline.reranking.prompt import PROMPT_VERSION, Prompts, plain_tokenizer
from kg_pipeline.reranking.protocol import Direction, ImageScores, ImageTexts, Reason, RerankerError

IMAGES_AHEAD = 8
"""Images that are decoded while the device works; an image of the largest size takes 24 MB."""
IMAGE_TOKENS_AT_ONCE = 4096
"""Image tokens of one pass through the vision tower; halved when memory runs out."""
TEXT_QUERY_IMAGE_TOKENS = 4 * IMAGE_TOKENS_AT_ONCE
IMAGES_AT_ONCE = 64
"""Images of one pass, so that a thousand icons are not all decoded before the first is scored."""
TEXT_QUERY_IMAGES = 32
"""Images that are held at once when texts are the queries, so that those of one text share it."""
REASON_TOKENS = 64
"""The longest reason that is written; a sentence takes about 30."""

Item = TypeVar("Item")
Made = TypeVar("Made")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Precision:
    """How and where to compute."""

    dtype: str = "bfloat16"
    device: str = "cpu"
    token_budget: int | None = None
    """Tokens of one row; what the device's memory allows when None."""


@dataclass
class _Group:
    """One image with its texts on the way through the engine."""

    number: int
    group: ImageTexts
    pixels: Pixels | None
    error: str | None = None
    texts: tuple[str, ...] = ()
    """The distinct ones."""
    log_odds: dict[int, float] = field(default_factory=dict)
    """By the number of the distinct text."""
    truncated: dict[int, bool] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.error is not None or len(self.log_odds) == len(self.texts)


class QwenVLReranker:
    """Reranker for a checkpoint of lychee-rerank-mm's or Qwen3-VL-Reranker's family; loads at the first score."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        instruction: str | None = None,
        direction: Direction = "image-to-text",
        precision: Precision | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`instruction`: the card's when None. `limits` guard the decoding of images."""
        self.checkpoint = checkpoint
        self.instruction = instruction if instruction is not None else checkpoint.family.instruction
        self.direction = direction
        self.precision = precision or Precision()
        self.limits = limits or Limits()
        self.image_tokens_at_once = IMAGE_TOKENS_AT_ONCE
        self.out_of_memory = 0
        """How often memory ran out, each time halving a budget."""
        self.expected_memory: int | None = None
        """Bytes that the device is expected to hold at most."""
        self._token_budget = self.precision.token_budget
        self.fingerprint = self._fingerprint()

    @cached_property
    def pairs_per_second(self) -> float:
        """Expected from FLOPs and the device's measured rate of matrix products."""
        return expected_pairs_per_second(self.checkpoint.config, self.precision.dtype, self.precision.device)

    @property
    def token_budget(self) -> int:
        """Tokens of one row: as given, or by the memory that is free at first use. Raises RerankerError."""
        if self._token_budget is None:
            self._token_budget = self._fitting_budget()
        return self._token_budget

    @token_budget.setter
    def token_budget(self, tokens: int) -> None:
        self._token_budget = tokens

    @cached_property
    def prompts(self) -> Prompts:
        """The prompts of this checkpoint and instruction."""
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(
                self.checkpoint.folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise RerankerError(f"{self.checkpoint.folder}: the tokenizer cannot be loaded: {error}") from error
        return Prompts(plain_tokenizer(tokenizer), self.checkpoint.family, self.instruction)

    @cached_property
    def pixel_reader(self) -> PixelReader:
        """The checkpoint's image processor."""
        return load_pixel_reader(self.checkpoint.folder, self.checkpoint.family, self.limits)

    @cached_property
    def model(self) -> QwenVLModel:
        """The weights, loaded at first use."""
        answers = self.prompts.answer_ids()
        budget = self.token_budget  # from the memory that is free before the weights are there
        logger.info(
            "loading %s on %s as %s, %d tokens at once",
            self.checkpoint.name,
            self.precision.device,
            self.precision.dtype,
            budget,
        )
        return QwenVLModel(self.checkpoint, answers, self.precision.dtype, self.precision.device)

    def turned(self, direction: Direction) -> "QwenVLReranker":
        """The same weights, asked in that direction; they are loaded when they are not yet."""
        other = QwenVLReranker(
            self.checkpoint,
            instruction=self.instruction,
            direction=direction,
            precision=replace(self.precision, token_budget=self.token_budget),
            limits=self.limits,
        )
        for name in ("prompts", "pixel_reader", "model"):
            other.__dict__[name] = getattr(self, name)
        return other

    def explain(self, image: bytes, text: str) -> Reason:
        """Let the model write a reason in the language of the text; off its training, so parsed with care."""
        return reasons.parse(self.write(image, reasons.question(text), text, REASON_TOKENS))

    def write(self, image: bytes, question: str, text: str, most: int) -> str:
        """The likeliest answer of at most `most` tokens to a question on an image, and on a text if there is one.

        Raises ImageError, ValueError, RerankerError.
        """
        pixels = self.pixel_reader.read(image)
        before, rest = self.prompts.question(pixels.grid, question, text)
        row = Row((Tree(before, (Branch(rest, (0, 0)),)),))
        features = self._on_device(self.model.encode, [pixels])
        written = features and self._on_device(
            self.model.write, row, dict(enumerate(features)), self.prompts.end_id(), most
        )
        if written is None:
            raise RerankerError(f"an answer over {len(row)} tokens does not fit into the device's memory")
        answer: str = self.prompts.tokenizer.decode(written, skip_special_tokens=True)
        return answer.strip()

    def facts(self) -> dict[str, str | int | float]:
        """Device, budget as it ended up, how often memory ran out, the memory that was expected and that was taken."""
        found: dict[str, str | int | float] = {"device": self.precision.device, "out_of_memory": self.out_of_memory}
        if self._token_budget is not None:
            found["token_budget"] = self._token_budget
        if self.expected_memory is not None:
            found["expected_memory_gb"] = round(self.expected_memory / 1e9, 2)
        if "model" in self.__dict__ and self.precision.device.startswith("cuda"):
            import torch

            found["device"] = torch.cuda.get_device_name(self.model.device)
            found["peak_memory_gb"] = round(torch.cuda.max_memory_allocated(self.model.device) / 1e9, 2)
        return found

    def close(self) -> None:
        """Give the memory of the device back; the next score loads again."""
        if "model" in self.__dict__:
            del self.model
            if self.precision.device.startswith("cuda"):
                import torch

                torch.cuda.empty_cache()

    def score(self, groups: Iterable[ImageTexts]) -> Iterator[ImageScores]:
        """Yield the scores of each group as soon as its last pair is scored."""
        waiting: dict[int, _Group] = {}
        features: dict[int, ImageFeatures] = {}
        for row in self._rows(_prefetched(enumerate(groups), self._prepare), waiting, features):
            for pair, log_odds in self._scored(row, features):
                waiting[pair[0]].log_odds[pair[1]] = log_odds
            for number in [number for number, group in waiting.items() if group.complete]:
                features.pop(number, None)
                yield _image_scores(waiting.pop(number))
        for group in waiting.values():
            yield _image_scores(group)

    def _prepare(self, numbered: tuple[int, ImageTexts]) -> _Group:
        number, group = numbered
        texts = tuple(dict.fromkeys(group.texts))
        try:
            return _Group(number, group, self.pixel_reader.read(group.load()), texts=texts)
        except (OSError, ValueError, ImageError) as error:
            return _Group(number, group, None, f"the image cannot be read: {error}")

    def _rows(
        self, prepared: Iterable[_Group], waiting: dict[int, _Group], features: dict[int, ImageFeatures]
    ) -> Iterator[Row]:
        make_trees = self._image_queries if self.direction == "image-to-text" else self._text_queries

        def trees() -> Iterator[Tree]:
            for batch in self._batches(prepared):
                waiting.update({group.number: group for group in batch})
                readable = [group for group in batch if group.pixels and group.texts]
                for group, made in zip(readable, self._encoded(readable), strict=True):
                    features[group.number] = made
                yield from make_trees(readable)

        yield from pack(trees(), self.token_budget)

    def _batches(self, prepared: Iterable[_Group]) -> Iterator[list[_Group]]:
        """Groups whose images are encoded together, and in the other direction share their texts."""
        most = IMAGES_AT_ONCE if self.direction == "image-to-text" else TEXT_QUERY_IMAGES
        tokens_at_once = IMAGE_TOKENS_AT_ONCE if self.direction == "image-to-text" else TEXT_QUERY_IMAGE_TOKENS
        batch: list[_Group] = []
        tokens = 0
        for group in prepared:
            more = group.pixels.tokens if group.pixels else 0
            if batch and (tokens + more > tokens_at_once or len(batch) >= most):
                yield batch
                batch, tokens = [], 0
            batch.append(group)
            tokens += more
        if batch:
            yield batch

    def _image_queries(self, groups: list[_Group]) -> Iterator[Tree]:
        for group in groups:
            assert group.pixels
            prefix = self.prompts.image_query(group.number, group.pixels.grid)
            branches = []
            for index, text in enumerate(group.texts):
                segment, group.truncated[index] = self.prompts.text_document(text, prefix)
                branches.append(Branch(segment, (group.number, index)))
            group.pixels = None
            yield Tree(prefix, tuple(branches))

    def _text_queries(self, groups: list[_Group]) -> Iterator[Tree]:
        """A tree per text with all its images; a text that must be cut is cut for each image on its own."""
        wanted: dict[str, list[tuple[_Group, int]]] = {}
        for group in groups:
            for index, text in enumerate(group.texts):
                wanted.setdefault(text, []).append((group, index))
        for text, pairs in wanted.items():
            by_prefix: dict[bytes, tuple[Segment, list[Branch]]] = {}
            for group, index in pairs:
                assert group.pixels
                prefix, group.truncated[index] = self.prompts.text_query(text, group.pixels.tokens)
                _, branches = by_prefix.setdefault(prefix.tokens.tobytes(), (prefix, []))
                image = self.prompts.image_document(group.number, group.pixels.grid)
                branches.append(Branch(image, (group.number, index)))
            for prefix, branches in by_prefix.values():
                yield Tree(prefix, tuple(branches))
        for group in groups:
            group.pixels = None

    def _encoded(self, groups: list[_Group]) -> Iterator[ImageFeatures]:
        """Features of the groups' images; fewer at once when memory runs out."""
        images = deque(group.pixels for group in groups if group.pixels)
        while images:
            batch = [images.popleft()]
            tokens = batch[0].tokens
            while images and tokens + images[0].tokens <= self.image_tokens_at_once:
                batch.append(images.popleft())
                tokens += batch[-1].tokens
            made = self._on_device(self.model.encode, batch)
            if made is not None:
                yield from made
            elif len(batch) == 1:
                raise RerankerError(f"one image of {tokens} tokens does not fit into the device's memory")
            else:
                images.extendleft(reversed(batch))
                self.image_tokens_at_once = tokens // 2
                logger.warning("out of memory in the vision tower: going on with %d tokens at once", tokens // 2)

    def _scored(self, row: Row, features: dict[int, ImageFeatures]) -> Iterator[tuple[tuple[int, int], float]]:
        """Pairs and log-odds of a row; split smaller when memory runs out."""
        if len(row) > self.token_budget and sum(len(tree.branches) for tree in row.trees) > 1:
            for part in pack(row.trees, self.token_budget):
                yield from self._scored_at_once(part, features)
        else:
            yield from self._scored_at_once(row, features)

    def _scored_at_once(self, row: Row, features: dict[int, ImageFeatures]) -> Iterator[tuple[tuple[int, int], float]]:
        scores = self._on_device(self.model.score, row, features, self.token_budget)
        pairs = [branch.pair for tree in row.trees for branch in tree.branches]
        if scores is not None:
            yield from zip(pairs, scores, strict=True)
            return
        if len(pairs) == 1:
            raise RerankerError(f"one prompt of {len(row)} tokens does not fit into the device's memory")
        self.token_budget = max(1, min(self.token_budget, len(row)) // 2)
        logger.warning("out of memory: the token budget is halved to %d", self.token_budget)
        yield from self._scored(row, features)

    def _on_device(self, compute: Callable[..., Made], *arguments: Any) -> Made | None:
        """What `compute` returns; None when memory ran out. Raises RerankerError when the device fails."""
        import torch

        try:
            return compute(*arguments)
        except (torch.OutOfMemoryError, MemoryError):
            pass  # the memory of the failed attempt is free only after this block
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):
                raise RerankerError(f"the device failed: {error}. Scores made so far are kept; run again") from error
        self.out_of_memory += 1
        if self.precision.device.startswith("cuda"):
            torch.cuda.empty_cache()
        return None

    def _fitting_budget(self) -> int:
        if not self.precision.device.startswith("cuda"):
            return CPU_TOKENS
        import torch

        free, _ = torch.cuda.mem_get_info(self.precision.device)
        tokens, self.expected_memory = token_budget(
            self.checkpoint.config,
            self.checkpoint.parameters,
            getattr(torch, self.precision.dtype).itemsize,
            free,
            IMAGE_TOKENS_AT_ONCE,
        )
        return tokens

    def _fingerprint(self) -> str:
        family = self.checkpoint.family
        settings = {
            "family": asdict(family),
            "instruction": self.instruction,
            "prompt": PROMPT_VERSION,
            "pixels": PIXELS_VERSION,
            # Resizing differs between back ends and may between versions of one.
            "resized_by": "torchvision-" + ".".join(version("torchvision").split(".")[:2]),
        }
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        exact = f"{self.checkpoint.name}@{self.checkpoint.revision}"
        return f"qwen-vl/{exact}/{self.direction}/{self.precision.dtype}/{digest}"


def _prefetched(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[Made]:
    """`make` of each item in their order, a few ahead on threads."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "decode") as pool:
        pending: deque[Any] = deque()
        try:
            for item in items:
                pending.append(pool.submit(make, item))
                if len(pending) > IMAGES_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _image_scores(group: _Group) -> ImageScores:
    """In the order of the group's texts; what is not a number is None."""
    index = {text: number for number, text in enumerate(group.texts)}
    numbers = [index.get(text, -1) for text in group.group.texts]
    values = [group.log_odds.get(number) for number in numbers]
    log_odds = tuple(value if value is not None and math.isfinite(value) else None for value in values)
    bad = log_odds.count(None)
    error = group.error or (f"{bad} of {len(log_odds)} scores are not a number" if bad else None)
    return ImageScores(group.group.image_id, log_odds, tuple(group.truncated.get(n, False) for n in numbers), error)
