"""Object stores and web servers: listing what is there, and keeping a copy of what was fetched, by content.

Not here: what a picture is, and which of the objects are wanted (kg_pipeline.images).
"""

from kg_pipeline.stores.cache import Kept, StoreCache
from kg_pipeline.stores.errors import StoreError
from kg_pipeline.stores.fetching import Fetching, Outcome, Wish
from kg_pipeline.stores.objects import LOOK, RUN, Patience, StoreObject
from kg_pipeline.stores.servers import Servers

__all__ = [
    "LOOK",
    "RUN",
    "Fetching",
    "Kept",
    "Outcome",
    "Patience",
    "Servers",
    "StoreCache",
    "StoreError",
    "StoreObject",
    "Wish",
]
