"""A describer behind an address that speaks OpenAI's `POST /chat/completions` with pictures: vLLM, Ollama, OpenAI."""

import json
from base64 import b64encode
from io import BytesIO

from PIL import Image
from pydantic import SecretStr

from kg_pipeline.descriptions.asking import JPEG_QUALITY, MOST_TOKENS, asking_fingerprint, cleaned, question
from kg_pipeline.descriptions.errors import DescriptionError
from kg_pipeline.descriptions.protocol import UndescribedError
from kg_pipeline.model_sections import Descriptions
from kg_pipeline.model_server import ModelServer, RefusedError, Service

DESCRIPTION = Service(
    "description", "/chat/completions", "descriptions", "KG_PIPELINE_DESCRIPTION_API_KEY", DescriptionError
)


class EndpointDescriber:
    """Sends a picture a request. Two addresses that serve a model of the same name count as one model."""

    def __init__(self, section: Descriptions, api_key: SecretStr) -> None:
        """`section` has url and model. Nothing is sent yet; `api_key` may be empty."""
        assert section.url is not None
        assert section.model is not None
        self.fingerprint = f"openai-chat:{section.model}:{asking_fingerprint(section)}"
        self.parallel = section.parallel
        self._question = question(section)
        self._server = ModelServer(
            DESCRIPTION, section.url, section.model, api_key, section.timeout_seconds, section.parallel
        )
        self._takes_pictures = False

    def describe(self, jpeg: bytes) -> str:
        """As in the protocol."""
        try:
            answer = self._server.post(self._request(jpeg))
        except RefusedError as refusal:
            self._check_that_a_plain_picture_passes(refusal)
            raise UndescribedError(f"the server refuses the picture: {refusal}") from None
        self._takes_pictures = True
        if text := cleaned(self._content(answer)):
            return text
        raise UndescribedError("the model answers without words")

    def close(self) -> None:
        """Nothing is held here."""

    def _request(self, jpeg: bytes) -> dict[str, object]:
        picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"}}
        asked = {"type": "text", "text": self._question}
        return {
            "messages": [{"role": "user", "content": [picture, asked]}],
            "max_tokens": MOST_TOKENS,
            "temperature": 0,
        }

    def _check_that_a_plain_picture_passes(self, refusal: RefusedError) -> None:
        """Without this, a model that sees no pictures would be asked about each of them."""
        if self._takes_pictures:
            return
        try:
            self._server.post(self._request(_plain_picture()))
        except RefusedError as error:
            raise DescriptionError(
                f"the description server at {self._server.url} refuses every picture ({refusal}): "
                f"{self._server.model} may be no model that sees pictures; correct descriptions.model"
            ) from error
        self._takes_pictures = True

    def _content(self, data: bytes) -> str:
        try:
            content = json.loads(data)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise self._server.unlike_protocol(error) from None
        return content if isinstance(content, str) else ""


def _plain_picture() -> bytes:
    packed = BytesIO()
    Image.new("RGB", (64, 64), "grey").save(packed, "JPEG", quality=JPEG_QUALITY)
    return packed.getvalue()
