"""What is asked about a picture, how the picture is sent, and what is kept of the answer."""

import json
from io import BytesIO

from kg_pipeline.config import Limits
from kg_pipeline.ids import sha256_text
from kg_pipeline.images.decoding import as_seen
from kg_pipeline.model_sections import Descriptions

ASKED = {
    "en": (
        "Describe this picture in one or two plain sentences, for a search in technical documentation. Name the "
        "objects and what they are for, the text that is visible (word for word), colours, and the state that is "
        "shown, such as lit, open or broken. Say nothing of style, mood or quality, and do not guess where or when it "
        "was taken."
    ),
    "zh": (
        "请用一两句平实的中文描述这张图片,供技术文档检索使用。说出其中的物体及其用途、可见的文字(逐字照录)、"
        "颜色,以及所示的状态,例如点亮、打开或损坏。不要谈风格、氛围或画质,也不要猜测拍摄的地点或时间。"
    ),
}
LONGEST_SIDE = 1024
"""Pixels: about 1,300 tokens of a Qwen-VL model, and print of ordinary size on a device stays legible."""
JPEG_QUALITY = 90
MOST_TOKENS = 160
"""Two sentences take about 60; more are needed where much text is visible."""
MOST_CHARACTERS = 2_000
"""No server can fill the table with a book."""
ASKING_VERSION = 2
"""Counts changes of sending or cleaning that change a description; part of every fingerprint."""


def question(section: Descriptions) -> str:
    """What the model is asked."""
    return section.prompt or ASKED[section.language]


def asking_fingerprint(section: Descriptions) -> str:
    """12 hex digits of all that changes a description beside the model."""
    return sha256_text(json.dumps([ASKING_VERSION, question(section), LONGEST_SIDE, JPEG_QUALITY, MOST_TOKENS]))[:12]


def small_jpeg(data: bytes, limits: Limits) -> bytes:
    """The picture as a person sees it, no side longer than LONGEST_SIDE, without metadata. Raises ImageError."""
    packed = BytesIO()
    as_seen(data, limits, LONGEST_SIDE).save(packed, "JPEG", quality=JPEG_QUALITY, exif=b"", icc_profile=None)
    return packed.getvalue()


def cleaned(answer: str) -> str:
    """The answer as one line of printable characters (no control characters, no lone surrogates), cut to length."""
    printable = "".join(letter if letter.isprintable() else " " for letter in answer[: 2 * MOST_CHARACTERS])
    return " ".join(printable.split())[:MOST_CHARACTERS].strip()
