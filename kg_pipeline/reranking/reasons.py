"""Reasons that the model writes for chosen pairs, beside the score of record, which they never change."""

import re
from collections.abc import Sequence

from kg_pipeline.reranking.protocol import Reason

ASKED = {
    "en": (
        "How well does the picture show what the text says, from 0 to 10? "
        "Answer in this form: Score: X.X — one short sentence with the reason."
    ),
    "zh": "这张图片在多大程度上展示了文字所说的内容(0 到 10 分)?请按此格式回答:Score: X.X — 一句简短的理由。",
}
REASONS_VERSION = 1
"""Counts changes of question or writing; reasons written before are written anew."""
FORM = re.compile(
    r"\s*Score\s*[::]\s*(?P<score>10(?:\.0+)?|\d(?:\.\d+)?)\s*(?:/\s*10)?\s*[—–:,-]+\s*(?P<why>\S.*)", re.S
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def parse(text: str) -> Reason:
    """Read `Score: X.X — sentence`; without that form, why and said_score are None."""
    found = FORM.match(text)
    if not found:
        return Reason(text, None, None)
    return Reason(text, found["why"].strip().splitlines()[0], float(found["score"]))


def question(text: str) -> str:
    """What is asked, in the language of the text."""
    return ASKED["zh" if is_chinese(text) else "en"]


def is_chinese(text: str) -> bool:
    """Whether a fifth of the characters are Chinese."""
    return len(CHINESE.findall(text)) * 5 > len(text.replace(" ", ""))


def parsed_share(reasons: Sequence[Reason]) -> float:
    """Share of the reasons that have the form asked for."""
    return sum(reason.why is not None for reason in reasons) / len(reasons) if reasons else 0.0
