"""What the routes of a server share."""

from dataclasses import dataclass

from kg_pipeline.retrieval import Library
from kg_pipeline.serving.metrics import Metrics
from kg_pipeline.serving.pictures import HomePictures
from kg_pipeline.serving.rerank_service import RerankService
from kg_pipeline.serving.settings import ServeSettings
from kg_pipeline.storage import TableStore


@dataclass(frozen=True)
class Services:
    """Made once per server; every module of routes gets it."""

    settings: ServeSettings
    reranking: RerankService
    store: TableStore
    home_pictures: HomePictures
    metrics: Metrics
    library: Library
