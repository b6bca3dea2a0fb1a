"""The prompt of the model cards as token ids, cut where prompts can share their computation.

    <|im_start|>system
    Judge whether … "yes" or "no".<|im_end|>
    <|im_start|>user
    <Instruct>: {instruction}<Query>:{query}
    <Document>:{document}<|im_end|>
    <|im_start|>assistant

Prompts are cut only at special tokens, which are boundaries of the byte-pair encoding: ids before and after a cut are
those of the whole prompt.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kg_pipeline.reranking.families import Family
from kg_pipeline.reranking.packing import Ints, Segment
from kg_pipeline.reranking.protocol import RerankerError

PROMPT_VERSION = 1
"""Counts changes of prompt or cutting that change a score; part of the fingerprint."""

SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
START, END = "<|im_start|>", "<|im_end|>"
VISION_START, IMAGE, VISION_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"
ANSWERS = ("yes", "no")


@dataclass(frozen=True)
class Prompts:
    """Makes the segments of prompts for one tokenizer and instruction."""

    tokenizer: Any
    """A `tokenizers.Tokenizer` that reads special tokens inside a text as plain text."""
    family: Family
    instruction: str

    def image_query(self, image: int, grid: tuple[int, int]) -> Segment:
        """Everything up to and including the image, which is the query."""
        return self._with_image([*self._opening(""), self._special(VISION_START)], image, grid, [])

    def text_document(self, text: str, before: Segment) -> tuple[Segment, bool]:
        """The rest of the prompt after `image_query`: the text as document; and whether it was cut."""
        ids = self._encode(f"\n<Document>:{text or self.family.empty_text}")
        suffix = self._suffix()
        room = self._room(len(before.tokens) + len(suffix), at_least=len(self._encode("\n<Document>:")))
        return Segment(_ids([*ids[:room], *suffix])), len(ids) > room

    def text_query(self, text: str, image_tokens: int) -> tuple[Segment, bool]:
        """Everything up to the image, the text being the query; `image_tokens` follow. And whether it was cut."""
        text = text or self.family.empty_text
        ids = [*self._opening(f"{text}\n<Document>:"), self._special(VISION_START)]
        after = image_tokens + 1 + len(self._suffix())
        if len(ids) + after <= self.family.max_length:
            return Segment(_ids(ids)), False
        ending = [*self._encode("\n<Document>:"), self._special(VISION_START)]
        room = self._room(after + len(ending), at_least=len(self._opening("")))
        return Segment(_ids([*self._opening(text)[:room], *ending])), True

    def image_document(self, image: int, grid: tuple[int, int]) -> Segment:
        """The rest of the prompt after `text_query`: the image as document."""
        return self._with_image([], image, grid, self._suffix())

    def question(self, grid: tuple[int, int], question: str, text: str) -> tuple[Segment, Segment]:
        """A prompt that asks for words instead of yes or no: what ends with image 0, and the rest. No `text`: ""."""
        opening = [self._special(START), *self._encode("user\n"), self._special(VISION_START)]
        before = self._with_image(opening, 0, grid, [])
        suffix = self._suffix()
        asked = self._encode(f"{question}\n\n{text}" if text else question)
        room = self._room(len(before.tokens) + len(suffix), at_least=len(self._encode(question)))
        return before, Segment(_ids([*asked[:room], *suffix]))

    def end_id(self) -> int:
        """Id of the token that ends an answer."""
        return self._special(END)

    def answer_ids(self) -> tuple[int, int]:
        """Ids of `yes` and `no`. Raises RerankerError when the vocabulary lacks one."""
        yes, no = (self.tokenizer.token_to_id(answer) for answer in ANSWERS)
        if yes is None or no is None:
            raise RerankerError("the checkpoint's vocabulary has no tokens `yes` and `no`: it is no yes/no reranker")
        return yes, no

    def _opening(self, query: str) -> list[int]:
        start, newline = self._special(START), self._encode("\n")
        user = self._encode(f"user\n<Instruct>: {self.instruction}<Query>:{query}")
        return [start, *self._encode(f"system\n{SYSTEM}"), self._special(END), *newline, start, *user]

    def _suffix(self) -> list[int]:
        return [self._special(END), *self._encode("\n"), self._special(START), *self._encode("assistant\n")]

    def _with_image(self, before: list[int], image: int, grid: tuple[int, int], after: list[int]) -> Segment:
        pads = [self._special(IMAGE)] * (grid[0] * grid[1])
        return Segment(_ids([*before, *pads, self._special(VISION_END), *after]), image, len(before), grid)

    def _room(self, used: int, at_least: int) -> int:
        room = self.family.max_length - used
        if room < at_least:
            raise RerankerError(
                f"image and instruction leave no room for a text in {self.family.max_length} tokens: "
                "give a shorter instruction"
            )
        return room

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _special(self, token: str) -> int:
        found: int | None = self.tokenizer.token_to_id(token)
        if found is None:
            raise RerankerError(f"the checkpoint's vocabulary has no token {token}: it is no Qwen-VL checkpoint")
        return found


def plain_tokenizer(tokenizer: Any) -> Any:
    """A copy of the backend of a Hugging Face tokenizer to which `<|im_end|>` in a document is just text."""
    from tokenizers import Tokenizer

    plain = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    plain.encode_special_tokens = True
    plain.no_padding()
    plain.no_truncation()
    return plain


def _ids(ids: list[int]) -> Ints:
    return np.array(ids, dtype=np.int64)
