"""Whether the server is ready, who scores, and what it has counted."""

from dataclasses import asdict

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from kg_pipeline.serving.schemas import Health, Model, Models
from kg_pipeline.serving.scoring import DIRECTIONS, SEARCH
from kg_pipeline.serving.services import Services


def router(services: Services) -> APIRouter:
    """GET /api/health, /api/models, /metrics."""
    routes = APIRouter(tags=["operations"])
    service, metrics = services.reranking, services.metrics

    @routes.get("/api/health", summary="Is the server ready?", responses={503: {"model": Health}})
    def health(response: Response) -> Health:
        """503 when nothing can be scored any more and the server has to be started again. Needs no token."""
        batcher = service.batcher
        if not batcher.is_open:
            response.status_code = 503
        return Health(
            ready=batcher.is_open,
            status="failed" if batcher.failure else "ready" if batcher.is_open else "stopping",
            scorer=service.scorer.fingerprint(SEARCH),
            waiting_requests=batcher.waiting_jobs,
            waiting_pairs=batcher.waiting_pairs,
            problem=batcher.failure,
        )

    @routes.get("/api/models", summary="Who scores?")
    def models() -> Models:
        """The scorer of either direction, why it was chosen, its device, and the limits of a request."""
        scorer = service.scorer
        found = [
            Model(
                direction=direction,
                scorer=scorer.fingerprint(direction),
                looks_at_pixels=scorer.note is None,
                note=scorer.note,
            )
            for direction in DIRECTIONS
        ]
        return Models(models=found, reason=service.chosen.reason, facts=scorer.facts(), limits=asdict(service.limits))

    @routes.get("/metrics", summary="Counters for Prometheus", response_class=Response)
    def prometheus() -> Response:
        """Requests, seconds, pairs, turns of the device and the queue, in Prometheus' text format."""
        metrics.waiting_jobs.set(service.batcher.waiting_jobs)
        metrics.waiting_pairs.set(service.batcher.waiting_pairs)
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return routes
