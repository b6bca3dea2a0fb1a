"""A server that speaks OpenAI's /chat/completions: it says of a picture what the test wrote for its main colour."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

from openai_server import openai_server
from PIL import Image

COLOURS = {"red": (255, 0, 0), "orange": (255, 140, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "grey": (128,) * 3}


def main_colour(picture: Image.Image) -> str:
    """The name of the colour that is nearest to the middle pixel."""
    middle = picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], middle, strict=True)))


@dataclass
class DescriptionServer:
    """What it was asked, and how it is to answer."""

    url: str = ""
    says: dict[str, object] = field(default_factory=dict)
    """Colour to description; `A <colour> thing.` where nothing is written."""
    refused: frozenset[str] = frozenset()
    """Colours of pictures that are answered with 400."""
    statuses: list[int] = field(default_factory=list)
    """Answers to give before the right ones."""
    fails_after: int | None = None
    """Requests after which it only answers 500."""
    body: bytes | None = None
    """Answer with this instead."""
    requests: list[dict] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    pictures: list[Image.Image] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: dict, key: str | None) -> tuple[int, bytes]:
        with self._lock:
            picture, _ = request["messages"][0]["content"]
            kind, _, data = picture["image_url"]["url"].partition(",")
            assert kind == "data:image/jpeg;base64"
            self.requests.append(request)
            self.keys.append(key)
            self.pictures.append(Image.open(BytesIO(b64decode(data))))
            if self.fails_after is not None and len(self.requests) > self.fails_after:
                return 500, b""
            if self.statuses:
                quoted = {"error": {"message": f"bad input {data}", "type": "some_error", "code": key or ""}}
                return self.statuses.pop(0), json.dumps(quoted).encode()
            if self.body is not None:
                return 200, self.body
            colour = main_colour(self.pictures[-1])
            if colour in self.refused:
                return 400, json.dumps({"error": {"message": data, "type": "BadRequestError"}}).encode()
            message = {"role": "assistant", "content": self.says.get(colour, f"A {colour} thing.")}
            return 200, json.dumps({"choices": [{"index": 0, "message": message}]}).encode()


@contextmanager
def description_server() -> Iterator[DescriptionServer]:
    """A server on a free port of this machine."""
    server = DescriptionServer()
    with openai_server("/chat/completions", server.answer) as server.url:
        yield server
