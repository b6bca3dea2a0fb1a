"""The card's way to score: one pair per forward, the model's own chat template and processor, full logits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)


@dataclass(frozen=True)
class Habits:
    """What the two cards do differently: instruction, pixel limits, longest prompt, what stands for nothing."""

    instruction: str
    pixels: tuple[int, int]
    max_length: int
    nothing: str


HABITS = {
    "qwen2_5_vl": Habits(
        "Given a web search query, retrieve relevant passages that answer the query",
        (4 * 28 * 28, 1280 * 28 * 28),
        3200,
        "",
    ),
    "qwen3_vl": Habits(
        "Given a search query, retrieve relevant candidates that answer the query.",
        (4 * 32 * 32, 1800 * 32 * 32),
        10240,
        "NULL",
    ),
}


class ReferenceLoop:
    """Scores one pair after the other."""

    def __init__(self, folder: Path, dtype: str = "float32", device: str = "cpu") -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
        self.model.to(device)
        self.habits = HABITS[self.model.config.model_type]
        self.processor = AutoProcessor.from_pretrained(folder)
        vocabulary = self.processor.tokenizer.get_vocab()
        self.yes, self.no = vocabulary["yes"], vocabulary["no"]

    def log_odds(
        self,
        image: Any,
        text: str,
        *,
        direction: str = "image-to-text",
        instruction: str | None = None,
        all_logits: bool = False,
    ) -> float:
        """z_yes - z_no after the last token; the logits of the others change nothing and take most of the time."""
        import torch

        made = self.inputs(image, text, direction, instruction)
        inputs = {name: part.to(self.model.device) for name, part in made.items()}
        with torch.inference_mode():
            logits = self.model(**inputs, logits_to_keep=0 if all_logits else 1).logits[0, -1].float()
        return float(logits[self.yes] - logits[self.no])

    def inputs(
        self, image: Any, text: str, direction: str = "image-to-text", instruction: str | None = None
    ) -> dict[str, Any]:
        """What goes into the model; a prompt that is too long loses the end of its text."""
        instruction = self.habits.instruction if instruction is None else instruction
        inputs = self._inputs(image, text or self.habits.nothing, direction, instruction)
        if inputs["input_ids"].shape[1] <= self.habits.max_length:
            return inputs
        kept = self._longest_text(inputs["input_ids"], direction)
        return {**inputs, **kept}

    def _inputs(self, image: Any, text: str, direction: str, instruction: str) -> dict[str, Any]:
        picture, words = {"type": "image", "image": image}, {"type": "text", "text": text}
        query, document = (picture, words) if direction == "image-to-text" else (words, picture)
        messages = [
            {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"<Instruct>: {instruction}"},
                    {"type": "text", "text": "<Query>:"},
                    query,
                    {"type": "text", "text": "\n<Document>:"},
                    document,
                ],
            },
        ]
        prompt = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        shortest, longest = self.habits.pixels
        return dict(
            self.processor(
                text=[prompt],
                images=[image],
                images_kwargs={"size": {"shortest_edge": shortest, "longest_edge": longest}},
                return_tensors="pt",
            )
        )

    def _longest_text(self, ids: Any, direction: str) -> dict[str, Any]:
        """Cut tokens off the end of the text until the prompt fits, and mark the rest as before."""
        import torch

        tokens, tokenizer = ids[0].tolist(), self.processor.tokenizer
        if direction == "image-to-text":
            ending = tokens[-5:]  # <|im_end|>\n<|im_start|>assistant\n
        else:
            from_image = tokens.index(tokenizer.convert_tokens_to_ids("<|vision_start|>"))
            ending = tokenizer.encode("\n<Document>:") + tokens[from_image:]
        cut = tokens[: self.habits.max_length - len(ending)] + ending
        is_image = [int(token == self.processor.image_token_id) for token in cut]
        return {
            "input_ids": torch.tensor([cut]),
            "attention_mask": torch.ones(1, len(cut), dtype=torch.long),
            "mm_token_type_ids": torch.tensor([is_image]),
        }
