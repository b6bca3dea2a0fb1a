"""The reranker as a service over HTTP: what a request may hold, how requests share one device, and the answers.

Not here: how a picture and a text are scored (kg_pipeline.reranking), and the command that starts it all.
"""

from kg_pipeline.serving.answers import RerankAnswer
from kg_pipeline.serving.app import create_app
from kg_pipeline.serving.errors import ServingError
from kg_pipeline.serving.pictures import Picture
from kg_pipeline.serving.rerank_service import RerankService
from kg_pipeline.serving.services import Services
from kg_pipeline.serving.settings import RequestLimits, ServeSettings

__all__ = [
    "Picture",
    "RequestLimits",
    "RerankAnswer",
    "RerankService",
    "ServeSettings",
    "Services",
    "ServingError",
    "create_app",
]
