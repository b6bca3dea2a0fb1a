"""The table store and the score ledger of a HOME."""

from pathlib import Path
from urllib.parse import quote

import dagster as dg

from kg_pipeline.config import Settings
from kg_pipeline.embedding import EmbeddingCache
from kg_pipeline.storage import ScoreLedger, TableStore


class Tables(dg.ConfigurableResource):
    """Everything that is kept on disk under one HOME."""

    home: str | None = None
    """Folder; KG_PIPELINE_HOME, else .kg-pipeline, when not given."""

    @property
    def root(self) -> Path:
        """HOME, absolute."""
        return Path(self.home).absolute() if self.home else Settings().home

    def store(self) -> TableStore:
        """The tables."""
        return TableStore(self.root)

    def ledger(self) -> ScoreLedger:
        """The scores of model rerankers."""
        return ScoreLedger(self.root)

    def ocr_cache(self) -> Path:
        """Folder of what was read in images, by content."""
        return self.root / "cache" / "ocr"

    def document_shelf(self) -> Path:
        """Folder of the documents with pictures inside, taken apart, by content."""
        return self.root / "cache" / "documents"

    def store_cache(self) -> Path:
        """Folder of the pictures that were fetched from stores, by content."""
        return self.root / "cache" / "stores"

    def description_cache(self) -> Path:
        """Folder of the descriptions of pictures, by describer and content."""
        return self.root / "cache" / "descriptions"

    def embedding_cache(self) -> EmbeddingCache:
        """The vectors of texts, by content."""
        return EmbeddingCache(self.root / "cache" / "embeddings")

    def reasons_cache(self) -> Path:
        """Folder of the reasons that a reranker wrote, by scorer and pair."""
        return self.root / "cache" / "reasons"

    def gallery(self, collection: str) -> Path:
        """File of a collection's gallery."""
        return self.root / "reports" / collection / "gallery.html"

    def edges_page(self, collection: str) -> Path:
        """File of the page on which a collection's edges are looked at."""
        return self.gallery(collection).with_name("edges.html")

    def report_address(self, page: Path) -> str | None:
        """Where a page of HOME/reports is served; None where nothing serves it."""
        served = Settings().reports_url
        return f"{served.rstrip('/')}/{quote(page.relative_to(self.root / 'reports').as_posix())}" if served else None

    def evaluation_page(self, collection: str) -> Path:
        """File of the page of a collection's last evaluation."""
        return self.root / "reports" / collection / "evaluation.html"
