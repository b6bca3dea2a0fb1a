"""What collections.yaml says of models behind an address: who makes vectors, describes pictures, scores from afar."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _address_without_secrets(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected the address of a server, for example http://localhost:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "no user, password or query here; a key stands in KG_PIPELINE_EMBEDDING_API_KEY, "
            "KG_PIPELINE_DESCRIPTION_API_KEY or KG_PIPELINE_RERANKER_API_KEY"
        )
    return url


Address = Annotated[str, AfterValidator(_address_without_secrets)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Embeddings(_Section):
    """Vectors of the passages for vector search, from a server that speaks OpenAI's API. Off when left out."""

    url: Address = Field(description="address before /embeddings, for example http://localhost:8000/v1")
    model: str = Field(min_length=1, description="name of the model there")
    dimensions: int | None = Field(
        None, ge=1, le=4096, description="length to cut the vectors to, where the model can; its own if unset"
    )
    batch: int = Field(64, ge=1, le=2048, description="texts of one request")
    timeout_seconds: float = Field(120.0, gt=0, description="how long one request may take")


class RemoteReranker(_Section):
    """A reranker on another machine, which stays loaded there: docs/reranker.md."""

    url: Address = Field(description="address of `kg-pipeline serve` or of vLLM, for example http://gpu:8765")
    api: Literal["kg-pipeline", "vllm"] = Field("kg-pipeline", description="what answers there")
    model: str | None = Field(None, min_length=1, description="vllm: name of the model there; its only one if unset")
    parallel: int = Field(4, ge=1, le=64, description="requests that the server gets at once")
    request_bytes: int = Field(
        16_000_000, ge=1_000, description="size of a request; a picture larger than that goes alone"
    )
    timeout_seconds: float = Field(120.0, gt=0, description="how long one request may take")
    busy_seconds: float = Field(
        600.0, ge=0, description="how long to ask again while the server has no room, before the run stops"
    )


class Descriptions(_Section):
    """A sentence or two on each picture, by a model that sees it: `url` and `model`, or `checkpoint`. Off if left out.

    One model call per distinct picture, once: docs/descriptions.md.
    """

    url: Address | None = Field(
        None, description="address before /chat/completions of a server that speaks OpenAI's API"
    )
    model: str | None = Field(None, min_length=1, description="name of the model there")
    checkpoint: str | None = Field(
        None,
        min_length=1,
        description="weights of a Qwen2.5-VL or Qwen3-VL model: a folder, or a hub id with its revision "
        "(owner/model@commit)",
    )
    device: str = Field("auto", description="where the checkpoint computes: cuda, cuda:1, cpu; auto takes a GPU")
    dtype: Literal["bfloat16", "float16", "float32"] = Field("bfloat16", description="precision of the checkpoint")
    language: Literal["en", "zh"] = Field("en", description="language of the descriptions: that of the documents")
    prompt: str | None = Field(None, min_length=1, description="what the model is asked, instead of the built-in words")
    parallel: int = Field(4, ge=1, le=64, description="requests that the server gets at once")
    timeout_seconds: float = Field(120.0, gt=0, description="how long one request may take")
    max_new_images: int | None = Field(None, ge=0, description="stop before describing more new pictures than this")

    @model_validator(mode="after")
    def _one_describer(self) -> Self:
        if (self.url is None) == (self.checkpoint is None):
            raise ValueError("give exactly one of url (with model), checkpoint")
        if (self.url is None) != (self.model is None):
            raise ValueError("url and model go together: the address of a server, and the name of the model there")
        return self
