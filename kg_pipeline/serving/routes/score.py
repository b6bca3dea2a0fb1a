"""POST /api/score and /api/explain: pictures with texts, for programs."""

import time

from fastapi import APIRouter, Request

from kg_pipeline.reranking.direct import ten_points
from kg_pipeline.serving.errors import ConflictError, RefusedError, UnavailableError
from kg_pipeline.serving.schemas import ExplainAnswer, ExplainRequest, GroupScores, ScoreAnswer, ScoreRequest
from kg_pipeline.serving.scoring import SEARCH
from kg_pipeline.serving.services import Services
from kg_pipeline.serving.sources import groups_of, picture_of
from kg_pipeline.serving.waiting import while_connected


def router(services: Services) -> APIRouter:
    """POST /api/score, /api/explain."""
    routes = APIRouter(tags=["scores"])
    service = services.reranking
    longest = services.settings.limits.score_characters

    @routes.post("/api/score", summary="Pictures with many texts each")
    async def score(request: Request, body: ScoreRequest) -> ScoreAnswer:
        """Log-odds of every text of every group, in the order of the request: what a remote reranker asks for.

        Each picture is decoded and encoded once for all its texts. `direction` says what is the query.
        """
        started = time.monotonic()
        scorer = service.scorer.fingerprint(body.direction)
        if body.scorer is not None and body.scorer != scorer:
            raise ConflictError(f"this server scores with {scorer}, not with {body.scorer}")
        groups = await groups_of(body, services)
        found = await while_connected(request, service.score_soon(body.direction, groups))
        return ScoreAnswer(
            scorer=scorer,
            direction=body.direction,
            groups=[
                GroupScores(
                    image_id=group.image_id,
                    log_odds=list(scores.log_odds),
                    scores=[None if each is None else ten_points(each) for each in scores.log_odds],
                    truncated=[
                        cut or len(text) > longest for cut, text in zip(scores.truncated, group.texts, strict=True)
                    ],
                    error=scores.error if None in scores.log_odds else None,
                )
                for group, scores in zip(body.groups, found, strict=True)
            ],
            total_time_ms=round(1000 * (time.monotonic() - started)),
            note=service.scorer.note,
        )

    @routes.post("/api/explain", summary="What the model writes on a picture and a text")
    async def explain(request: Request, body: ExplainRequest) -> ExplainAnswer:
        """A reason in the language of the text. Rerankers were trained to say yes or no, so read it with care."""
        picture = await picture_of(body.image, services)
        if picture.data is None:
            raise RefusedError(f"the picture {picture.error}")
        if service.scorer.note is not None:
            raise UnavailableError("this server has no model that could write; start it with --reranker qwen-vl")
        reason = await while_connected(request, service.explain_soon(picture, body.text))
        if reason is None:
            raise UnavailableError("the model could not write on this picture; the server's log says why")
        return ExplainAnswer(
            text=reason.text, why=reason.why, said_score=reason.said_score, scorer=service.scorer.fingerprint(SEARCH)
        )

    return routes
