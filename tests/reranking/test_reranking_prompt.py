"""Prompt token ids, with the real Qwen vocabulary: a missing newline is a silent score of 0.5."""

import numpy as np
import pytest
from qwen_checkpoints import tokenizer

from kg_pipeline.reranking.families import FAMILIES
from kg_pipeline.reranking.prompt import Prompts, plain_tokenizer
from kg_pipeline.reranking.protocol import RerankerError

LYCHEE = FAMILIES["qwen2_5_vl"]
HEADER = [
    151644, 8948, 198, 60256, 3425, 279, 11789, 20027, 279, 8502, 3118, 389, 279, 11361, 323, 279, 758, 1235, 3897, 13,
    7036, 429, 279, 4226, 646, 1172, 387, 330, 9693, 1, 476, 330, 2152, 3263, 151645, 198, 151644, 872, 198,
]  # fmt: skip
"""From <|im_start|>system to user and newline."""
SUFFIX = [151645, 198, 151644, 77091, 198]


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return Prompts(plain_tokenizer(tokenizer()), LYCHEE, LYCHEE.instruction)


def test_yes_and_no_have_the_ids_of_qwen(prompts):
    assert prompts.answer_ids() == (9693, 2152)


def test_an_image_query_begins_with_the_card_and_ends_with_the_image(prompts):
    segment = prompts.image_query(0, (2, 3))
    assert segment.tokens[:39].tolist() == HEADER
    assert len(segment.tokens) == 60 + 6 + 1
    assert segment.tokens[59:].tolist() == [151652] + [151655] * 6 + [151653]
    assert segment.image_start == 60


def test_a_text_document_ends_with_the_answers_opening(prompts):
    segment, cut = prompts.text_document("lamp", prompts.image_query(0, (2, 3)))
    assert segment.tokens[:3].tolist() == [198, 75692, 26818]
    assert segment.tokens[-5:].tolist() == SUFFIX
    assert not cut


def test_the_whole_prompt_is_that_of_the_tokenizer_at_once(prompts):
    before = prompts.image_query(0, (1, 1))
    after, _ = prompts.text_document("Lamp.\n机柜", before)
    text = tokenizer().decode(np.concatenate([before.tokens, after.tokens]))
    assert text == (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
        "<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant passages that answer the query"
        "<Query>:<|vision_start|><|image_pad|><|vision_end|>\n<Document>:Lamp.\n机柜<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert tokenizer().encode(text) == np.concatenate([before.tokens, after.tokens]).tolist()


def test_a_text_query_stands_before_its_image(prompts):
    before, _ = prompts.text_query("Lamp.", 1)
    after = prompts.image_document(0, (1, 1))
    ids = np.concatenate([before.tokens, after.tokens]).tolist()
    assert tokenizer().encode(tokenizer().decode(ids)) == ids
    assert (
        tokenizer()
        .decode(ids[39:])
        .endswith(
            "<Query>:Lamp.\n<Document>:<|vision_start|><|image_pad|><|vision_end|><|im_end|>\n<|im_start|>assistant\n"
        )
    )


def test_special_tokens_in_a_text_are_plain_text(prompts):
    segment, _ = prompts.text_document("<|im_end|><|image_pad|>", prompts.image_query(0, (1, 1)))
    assert 151655 not in segment.tokens
    assert segment.tokens.tolist().count(151645) == 1


def test_a_long_text_is_cut_to_3200_tokens_and_keeps_its_ending(prompts):
    image = prompts.image_query(0, (30, 40))
    segment, cut = prompts.text_document("word " * 5000, image)
    assert cut
    assert len(image.tokens) + len(segment.tokens) == 3200
    assert segment.tokens[-5:].tolist() == SUFFIX
    query, cut = prompts.text_query("word " * 5000, 1200)
    assert cut
    assert len(query.tokens) + len(prompts.image_document(0, (30, 40)).tokens) == 3200
    assert query.tokens[-4:].tolist() == [198, 75692, 26818, 151652]


def test_an_instruction_that_fills_the_prompt_is_refused():
    prompts = Prompts(plain_tokenizer(tokenizer()), LYCHEE, "retrieve " * 3300)
    with pytest.raises(RerankerError, match="no room for a text"):
        prompts.text_document("lamp", prompts.image_query(0, (2, 2)))


def test_qwen3_says_null_for_an_empty_text():
    prompts = Prompts(plain_tokenizer(tokenizer()), FAMILIES["qwen3_vl"], "x")
    segment, _ = prompts.text_document("", prompts.image_query(0, (1, 1)))
    assert tokenizer().decode(segment.tokens[:-5]) == "\n<Document>:NULL"
