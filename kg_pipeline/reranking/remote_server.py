"""The `POST /api/score` of `kg-pipeline serve`: what is sent, and scores from what is answered."""

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from kg_pipeline.model_sections import RemoteReranker as RemoteSection
from kg_pipeline.model_server import ModelServer, Service
from kg_pipeline.reranking.protocol import Direction, ImageScores, Reason, RerankerError
from kg_pipeline.reranking.remote import BusyError, LateError, SentGroup

KEY_VARIABLE = "KG_PIPELINE_RERANKER_API_KEY"
SCORE = Service(
    "reranker",
    "/api/score",
    "scoring.remote",
    KEY_VARIABLE,
    RerankerError,
    busy=BusyError,
    late=LateError,
    speaks="kg-pipeline's",
    without="score without it (--reranker none)",
    example="http://localhost:8765",
)
EXPLAIN = replace(SCORE, path="/api/explain")
MOST_GROUPS = 64
"""Of one request; fewer where the server says so."""


class KgPipelineServer:
    """A server of ours. Its scorer is the one it had when it was first asked, or an error says that it changed."""

    pairs_per_second: float | None = None

    def __init__(self, section: RemoteSection, direction: Direction, key: SecretStr) -> None:
        """Asks which scorer answers there. Raises RerankerError."""
        self._direction = direction
        self._server, self._explainer = (
            ModelServer(service, section.url, None, key, section.timeout_seconds, section.parallel)
            for service in (SCORE, EXPLAIN)
        )
        self.fingerprint, self.groups_at_once = self._asked()

    def score(self, groups: Sequence[SentGroup]) -> list[ImageScores]:
        """See ScoreServer."""
        body = {
            "direction": self._direction,
            "groups": [
                {
                    "image_id": group.image_id,
                    "image": {"data": b64encode(group.image).decode()},
                    "texts": list(group.texts),
                }
                for group in groups
            ],
        }
        return self._scores(self._server.post(body), groups)

    def explain(self, image: bytes, text: str) -> Reason:
        """See ScoreServer."""
        answer = self._explainer.post({"image": {"data": b64encode(image).decode()}, "text": text})
        try:
            found = json.loads(answer)
            return Reason(str(found["text"]), found["why"], found["said_score"])
        except (ValueError, LookupError, TypeError) as error:
            raise self._explainer.unlike_protocol(error) from None

    def close(self) -> None:
        """See ScoreServer."""
        self._server.close()
        self._explainer.close()

    def _asked(self) -> tuple[str, int]:
        """Who scores there in this direction, and how many groups a request may have."""
        answer = self._server.get("/api/models")
        try:
            found = {
                each["direction"]: (str(each["scorer"]), bool(each["looks_at_pixels"])) for each in answer["models"]
            }
            scorer, looks_at_pixels = found[self._direction]
            groups = min(MOST_GROUPS, int(answer["limits"]["pictures"]))
        except (LookupError, TypeError, ValueError) as error:
            raise self._server.unlike_protocol(error) from None
        if not looks_at_pixels:
            raise RerankerError(
                f"the server at {self._server.base} has no model that looks at pictures: start it with --reranker "
                "qwen-vl --checkpoint DIR, or score without it (--reranker none)"
            )
        return scorer, groups

    def _scores(self, data: bytes, groups: Sequence[SentGroup]) -> list[ImageScores]:
        try:
            answer = json.loads(data)
            scorer, found = str(answer["scorer"]), [_image_scores(each) for each in answer["groups"]]
        except (ValueError, LookupError, TypeError) as error:
            raise self._server.unlike_protocol(error) from None
        if scorer != self.fingerprint:
            raise RerankerError(
                f"the scorer at {self._server.base} has changed while it was asked, from {self.fingerprint} to "
                f"{scorer}: their scores do not compare. What the first has scored is kept under its name; run again "
                "to score all with the second"
            )
        shapes = [(scores.image_id, len(scores.log_odds), len(scores.truncated)) for scores in found]
        if shapes != [(group.image_id, len(group.texts), len(group.texts)) for group in groups]:
            raise self._server.unlike_protocol(ValueError("groups"))
        return found


def _image_scores(group: dict[str, Any]) -> ImageScores:
    log_odds = tuple(None if value is None else float(value) for value in group["log_odds"])
    finite = tuple(value if value is not None and math.isfinite(value) else None for value in log_odds)
    return ImageScores(
        str(group["image_id"]), finite, tuple(bool(cut) for cut in group["truncated"]), group.get("error")
    )
