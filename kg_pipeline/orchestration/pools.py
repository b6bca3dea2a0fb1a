"""Pools of steps: that each has its limit before a run counts on it."""

from collections.abc import Iterable

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError


def ensure_pools(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Give these pools the default limit where they have none, whoever does the same at the same moment.

    Dagster does so when a step first claims a slot, by what the run has known of pools since its own first claim. On
    Postgres the later one of two runs then fails: the insert aborts the transaction that the update after it needs
    (dagster-io/dagster#33552).
    """
    storage = instance.event_log_storage
    if instance.global_op_concurrency_default_limit is None or not storage.supports_global_concurrency_limits:
        return
    for name in sorted(set(names)):
        if _has_limit(instance, name):
            continue
        try:
            storage.initialize_concurrency_limit_to_default(name)
        except SQLAlchemyError:
            if not _has_limit(instance, name):
                raise


def _has_limit(instance: dg.DagsterInstance, name: str) -> bool:
    return any(pool.name == name for pool in instance.event_log_storage.get_pool_limits())
