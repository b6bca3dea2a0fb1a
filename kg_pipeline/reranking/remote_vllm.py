"""vLLM's `POST /score` with pictures: what is sent, and log-odds from what is answered.

Written to vLLM's documentation and source of 2026 (docs/models/pooling_models/scoring.md, entrypoints/pooling/scoring).
"""

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from io import BytesIO
from typing import Any

from pydantic import SecretStr

from kg_pipeline.config import Limits
from kg_pipeline.images.decoding import is_seen_as_stored, open_raster, seen
from kg_pipeline.images.errors import ImageError
from kg_pipeline.model_sections import RemoteReranker as RemoteSection
from kg_pipeline.model_server import ModelServer, RefusedError, Service
from kg_pipeline.reranking.protocol import Direction, ImageScores, Reason, RerankerError
from kg_pipeline.reranking.remote import PLAIN_PAIR, BusyError, LateError, SentGroup

VLLM = Service(
    "reranker",
    "/score",
    "scoring.remote",
    "KG_PIPELINE_RERANKER_API_KEY",
    RerankerError,
    busy=BusyError,
    late=LateError,
    speaks="vLLM's",
    without="score without it (--reranker none)",
    example="http://localhost:8000",
)
REQUEST_VERSION = 2
"""Counts changes of the request that change a score; part of the fingerprint."""
MOST_CERTAIN = 2.0**-24
"""Half the distance of fp32 below 1: how near a probability can be told from 1, and log-odds from 16.6."""
TOLERANCE = 0.05
"""By which two forwards in BF16 of the same pair may differ, as probabilities."""
PLAIN_TEXTS = ("a white square", "the torque of an M6 bolt in newton metres")
PASSED_ON = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Formats that vLLM decodes as we do; of others, and of what is not seen as it is stored, it gets a PNG."""


class VllmServer:
    """One served model. Its score is the sigmoid of a logit, or the logit itself where the server can leave it."""

    groups_at_once = 1
    pairs_per_second: float | None = None

    def __init__(
        self, section: RemoteSection, direction: Direction, instruction: str | None, key: SecretStr, limits: Limits
    ) -> None:
        """Asks for the model's name and what its scores are, with two plain pairs. Raises RerankerError."""
        base = section.url.rstrip("/").removesuffix("/v1")
        self._direction = direction
        self._instruction = instruction
        self._limits = limits
        listing = ModelServer(VLLM, base, None, key, section.timeout_seconds)
        listed = _listed(listing.get("/v1/models"))
        listing.close()
        model = section.model or _only(listed, base)
        self._server = ModelServer(VLLM, base, model, key, section.timeout_seconds, section.parallel)
        self._gives_logits = self._learn_what_scores_are()
        self.fingerprint = self._fingerprint(model, listed.get(model, ""))

    def score(self, groups: Sequence[SentGroup]) -> list[ImageScores]:
        """See ScoreServer."""
        return [self._score(group) for group in groups]

    def explain(self, image: bytes, text: str) -> Reason:
        """Not possible here."""
        raise RerankerError("vLLM's score endpoint writes no reasons: leave out --explain and scoring.explain_edges")

    def close(self) -> None:
        """See ScoreServer."""
        self._server.close()

    def _score(self, group: SentGroup) -> ImageScores:
        count = len(group.texts)
        try:
            picture = _data_uri(group.image, self._limits)
        except ImageError as error:
            return ImageScores(group.image_id, (None,) * count, (False,) * count, f"the image cannot be read: {error}")
        scores = self._ask(picture, group.texts, logits=self._gives_logits)
        log_odds = tuple(_finite(score) if self._gives_logits else _log_odds(score) for score in scores)
        bad = log_odds.count(None)
        problem = f"{bad} of {count} scores are not a number" if bad else None
        return ImageScores(group.image_id, log_odds, (False,) * count, problem)

    def _ask(self, picture: str, texts: Sequence[str], *, logits: bool, with_instruction: bool = True) -> list[float]:
        image = {"content": [{"type": "image_url", "image_url": {"url": picture}}]}
        if self._direction == "image-to-text":
            body: dict[str, Any] = {"queries": image, "documents": list(texts)}
        else:  # lengths are 1:1, 1:N or N:N
            body = {"queries": list(texts), "documents": [image] * len(texts)}
        body["use_activation"] = not logits
        if self._instruction is not None and with_instruction:
            body["instruction"] = self._instruction
        return self._scores(self._server.post(body), len(texts))

    def _scores(self, data: bytes, expected: int) -> list[float]:
        try:
            rows = sorted(json.loads(data)["data"], key=lambda row: row["index"])
            scores = [math.nan if row["score"] is None else float(row["score"]) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise self._server.unlike_protocol(error) from None
        if len(scores) != expected:
            raise RerankerError(f"{self._server.url} answers with {len(scores)} scores to {expected} pairs")
        return scores

    def _learn_what_scores_are(self) -> bool:
        """Whether the server leaves the logit as it is when asked to; a version that does not know of it ignores that.

        Raises RerankerError where scores are no probabilities, and where an instruction is ignored.
        """
        picture = _data_uri(PLAIN_PAIR.image, self._limits)
        try:
            probabilities = self._ask(picture, PLAIN_TEXTS, logits=False)
            logits = self._ask(picture, PLAIN_TEXTS, logits=True)
            plain = self._ask(picture, PLAIN_TEXTS, logits=True, with_instruction=False)
        except RefusedError as error:
            raise RerankerError(
                f"the reranker server at {self._server.url} refuses a plain pair ({error}): does its model score, and "
                "see pictures? Serve it with --runner pooling; its log says more"
            ) from error
        if self._instruction is not None and plain == logits:
            raise RerankerError(
                f"{self._server.url} ignores scoring.instruction: use a newer vLLM and a chat template that takes an "
                "instruction, or remove it from collections.yaml"
            )
        as_logits = _distance([_sigmoid(value) for value in logits], probabilities)
        as_probabilities = _distance(logits, probabilities)
        if min(as_logits, as_probabilities) > TOLERANCE or not all(0 <= value <= 1 for value in probabilities):
            raise RerankerError(
                f"scores of {self._server.model} at {self._server.url} are no probabilities ({probabilities}): is it "
                "an embedding model? A reranker that says yes or no is needed"
            )
        return as_logits < as_probabilities

    def _fingerprint(self, model: str, root: str) -> str:
        settings = {
            "root": root,
            "instruction": self._instruction,
            "logits": self._gives_logits,
            "request": REQUEST_VERSION,
        }
        digest = sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        return f"vllm/{model}/{self._direction}/{digest}"


def _listed(answer: Any) -> dict[str, str]:
    """Where each served model came from, by its name."""
    try:
        return {str(model["id"]): str(model.get("root")) for model in answer["data"]}
    except (LookupError, TypeError, AttributeError):
        return {}


def _only(listed: dict[str, str], base: str) -> str:
    if len(listed) == 1:
        return next(iter(listed))
    if not listed:
        raise RerankerError(f"{base}/v1/models lists no model: is that a vLLM server? Correct scoring.remote.url")
    raise RerankerError(f"{base} serves {', '.join(sorted(listed))}: say which with scoring.remote.model")


def _data_uri(image: bytes, limits: Limits) -> str:
    """The picture as a `data:` address, upright and on white. Raises ImageError."""
    stored = open_raster(image, limits)
    if stored.format in PASSED_ON and is_seen_as_stored(stored):
        return f"data:{PASSED_ON[stored.format]};base64,{b64encode(image).decode()}"
    buffer = BytesIO()
    seen(stored, limits).save(buffer, "PNG")
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _log_odds(probability: float) -> float | None:
    if not 0 <= probability <= 1:
        return None
    certain = min(max(probability, MOST_CERTAIN), 1 - MOST_CERTAIN)
    return math.log(certain) - math.log1p(-certain)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _distance(ones: Sequence[float], others: Sequence[float]) -> float:
    """The largest difference; infinite where one is not a number."""
    differences = [abs(one - other) for one, other in zip(ones, others, strict=True)]
    return max((value if math.isfinite(value) else math.inf for value in differences), default=math.inf)
