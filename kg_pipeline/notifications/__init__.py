"""What people are told without asking: a digest of failures and of new orphans, posted to a webhook.

When a digest is due, and what happened since the last one, is known where the runs are (kg_pipeline.orchestration).
"""

from kg_pipeline.notifications.digest import Digest, FailedCollection, OrphanFound
from kg_pipeline.notifications.orphans import new_orphans, remember_told
from kg_pipeline.notifications.webhook import NotificationError, Webhook

__all__ = [
    "Digest",
    "FailedCollection",
    "NotificationError",
    "OrphanFound",
    "Webhook",
    "new_orphans",
    "remember_told",
]
