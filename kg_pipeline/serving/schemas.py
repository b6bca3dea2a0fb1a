"""The bodies of requests and answers, as OpenAPI shows them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kg_pipeline.reranking.protocol import Direction

EXAMPLE_QUERY = "服务器机柜内红色报警灯亮起"
EXAMPLE_SCORER = "qwen-vl/lychee-rerank-mm@0123abcd/text-to-image/bfloat16/5f2a9c1e77d0"
IMAGE_ID = "sha256 of the file's bytes, 64 hexadecimal digits"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InlineImage(_Request):
    """A picture in the request itself."""

    name: str = Field(max_length=1_000, description="what the answer calls it")
    data: str = Field(description="its bytes in base64, with or without a `data:` prefix")


class RerankRequest(_Request):
    """A query, and pictures in any of three forms; the answer has one result for each."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"query": EXAMPLE_QUERY, "image_paths": ["rack_001.png", "rack_002.png", "rack_003.png"]},
                {"query": "the torque wrench", "images": [{"name": "a.png", "data": "iVBORw0KGgo="}], "explain": True},
            ]
        },
    )

    query: str = Field(min_length=1, description="what the picture is to show")
    image_paths: list[str] = Field(
        default_factory=list,
        description="files on the server: relative to an image root, or absolute inside one",
    )
    images: list[InlineImage] = Field(default_factory=list, description="pictures in base64")
    image_ids: list[str] = Field(default_factory=list, description=f"images of the server's collections: {IMAGE_ID}")
    explain: bool = Field(False, description="let the model write the reason in `raw_output` (the best results only)")


class RankedPictureAnswer(BaseModel):
    """One picture of the answer."""

    image_path: str = Field(description="as the request wrote it: path, name or id")
    image_id: str | None = Field(description=f"{IMAGE_ID}; null for a picture that is not there")
    score: float | None = Field(description="0 to 10; null where the picture could not be scored")
    rank: int | None = Field(description="from 1, best first, without ties")
    margin: float | None = Field(
        description="log-odds above the best other picture; below 0 for all but the first, null for an only one"
    )
    margin_points: float | None = Field(description="the same in points")
    confidence: float | None = Field(description="score / 10")
    log_odds: float | None = Field(description="the score of record: score = 10 · sigmoid(log_odds)")
    raw_output: str = Field(description="`Score: X.X — reason`")
    truncated: bool = Field(False, description="present when the query was cut to the model's limit")
    error: str | None = Field(None, description="present when the picture could not be scored: why")


class RerankAnswerBody(BaseModel):
    """The pictures, best first; those that could not be scored last."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {
                            "image_path": "rack_002.png",
                            "image_id": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                            "score": 9.4,
                            "rank": 1,
                            "margin": 1.998,
                            "margin_points": 2.6,
                            "confidence": 0.94,
                            "log_odds": 2.7515,
                            "raw_output": "Score: 9.4 — 2 张图片中排第 1,比第二名高 2.6 分;由重排序模型看图判断",
                        }
                    ],
                    "total_time_ms": 420,
                    "scorer": EXAMPLE_SCORER,
                    "direction": "text-to-image",
                }
            ]
        }
    )

    results: list[RankedPictureAnswer]
    total_time_ms: int
    scorer: str = Field(description="fingerprint of all that changes a score")
    direction: Direction
    note: str | None = Field(None, description="what a reader of the scores has to know: that no model saw the pixels")


class ImageSource(_Request):
    """Where the bytes of a picture are: exactly one of the three."""

    data: str | None = Field(None, description="base64")
    path: str | None = Field(None, description="a file inside an image root of the server")
    id: str | None = Field(None, description=IMAGE_ID)


class ScoreGroup(_Request):
    """One picture with the texts to score it against."""

    image_id: str = Field(max_length=200, description="any name; the answer repeats it")
    image: ImageSource
    texts: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)


class ScoreRequest(_Request):
    """Groups of one picture with many texts: what a pipeline on another machine asks."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "direction": "image-to-text",
                    "groups": [
                        {"image_id": "rack", "image": {"path": "rack_001.png"}, "texts": ["a red lamp", "a desk"]}
                    ],
                }
            ]
        },
    )

    direction: Direction = "image-to-text"
    scorer: str | None = Field(
        None, description="the scorer that is expected; another one is refused with 409 before anything is scored"
    )
    groups: list[ScoreGroup] = Field(min_length=1)


class GroupScores(BaseModel):
    """Scores in the order of the group's texts."""

    image_id: str
    log_odds: list[float | None]
    scores: list[float | None] = Field(description="10 · sigmoid(log_odds)")
    truncated: list[bool] = Field(description="whether the text was cut to the model's limit")
    error: str | None = Field(description="why log-odds are missing")


class ScoreAnswer(BaseModel):
    """Groups in the order of the request."""

    scorer: str
    direction: Direction
    groups: list[GroupScores]
    total_time_ms: int
    note: str | None = None


class ExplainRequest(_Request):
    """One picture and one text."""

    image: ImageSource
    text: str = Field(min_length=1)


class ExplainAnswer(BaseModel):
    """What the model wrote. It never touches a score."""

    text: str = Field(description="as generated")
    why: str | None = Field(description="the sentence, when the text has the form `Score: X.X — sentence`")
    said_score: float | None = Field(description="the number it wrote, only to be compared with the score")
    scorer: str


class Health(BaseModel):
    """Whether requests are answered."""

    ready: bool
    status: Literal["ready", "failed", "stopping"]
    scorer: str = Field(description="of the direction text-to-image")
    waiting_requests: int
    waiting_pairs: int
    problem: str | None = None


class Model(BaseModel):
    """A scorer of this server."""

    direction: Direction
    scorer: str
    looks_at_pixels: bool
    note: str | None = None


class Models(BaseModel):
    """Who scores, why, and on what."""

    models: list[Model]
    reason: str = Field(description="why this scorer was chosen")
    facts: dict[str, str | int | float]
    limits: dict[str, int | float]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
