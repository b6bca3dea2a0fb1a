"""The sensor for changed files: a run for each collection whose configuration or files are not what they were.

By content (kg_pipeline.inputs), so that a touched file costs no run. Which files differ from the tables, by size and
time, is what the check `tables_are_up_to_date` says (tables_up_to_date.py).
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from kg_pipeline.config import Collection, ConfigError
from kg_pipeline.ids import sha256_text
from kg_pipeline.inputs import scan_inputs
from kg_pipeline.orchestration.jobs import whole_path
from kg_pipeline.orchestration.latch import INPUT_TAG, MOST_FAILURES, history
from kg_pipeline.storage.atomic import replacing
from resources.collections import Collections
from resources.tables import Tables

SECONDS_PER_TICK = 30.0
"""Dagster ends a tick after 60 s."""
MOST_REQUESTS = 50
"""Per tick; the rest follow in the next ones."""


@dataclass
class Seen:
    """What is known of one collection."""

    fingerprint: str
    since: float
    """When it was first seen, in seconds since 1970: a run that started later has read it."""
    is_done: bool = False
    problem: str | None = None
    """Why no run is requested: a place that is away, or an input that failed too often."""


@dataclass
class Tick:
    """What one tick found."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    looked_at: int = 0
    waiting: int = 0
    unfinished: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What is wrong with sections of the configuration."""

    def said(self, seen: dict[str, Seen]) -> str:
        """In a sentence or two, for the list of ticks."""
        problems = {name: entry.problem for name, entry in sorted(seen.items()) if entry.problem}
        parts = [f"{self.looked_at} collections looked at", f"{len(self.requests)} changed"]
        parts += [f"{self.waiting} waiting for a run"] if self.waiting else []
        parts += [f"{len(self.unfinished)} not read to the end yet"] if self.unfinished else []
        parts += [f"{len(problems)} held back: " + "; ".join(problems.values())[:1000]] if problems else []
        return "; ".join([", ".join(parts), *self.broken])


@dg.sensor(
    job=whole_path,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Runs a collection when the content of its files, or its configuration, is not what it was.",
)
def changed_files(
    context: dg.SensorEvaluationContext, collections: Collections, tables: Tables
) -> dg.SensorResult | dg.SkipReason:
    """Look at the collections in turn for half a minute, and request a run for each that changed."""
    try:
        configured, broken = collections.read()
    except ConfigError as error:
        return dg.SkipReason(f"the configuration is not valid: {error}")
    partitions = set(context.instance.get_dynamic_partitions("collections"))
    names = sorted(set(configured) & partitions)
    seen = {name: entry for name, entry in read_seen(tables.root).items() if name in {**configured, **broken}}
    tick, next_name = Tick(broken=[str(error) for error in broken.values()]), ""
    until = time.monotonic() + SECONDS_PER_TICK
    for name in _from(names, (context.cursor or "").partition(" ")[0]):
        if tick.looked_at and (time.monotonic() > until or len(tick.requests) == MOST_REQUESTS):
            next_name = name
            break
        _look(context.instance, configured[name], tables.root, until, seen, tick)
        if name in tick.unfinished:
            next_name = name
            break
    written = _write_seen(tables.root, seen)
    # Only place and fingerprint: Dagster keeps the cursor of every tick.
    cursor = f"{next_name} {sha256_text(written)[:16]}"
    skipped = None if tick.requests else tick.said(seen)
    return dg.SensorResult(run_requests=tick.requests, cursor=cursor, skip_reason=skipped)


def read_seen(home: Path) -> dict[str, Seen]:
    """What the sensor knows, by collection."""
    path = _file(home)
    return {name: Seen(**entry) for name, entry in json.loads(path.read_text("utf-8")).items()} if path.exists() else {}


def contents_memory(home: Path, collection: str) -> Path:
    """Where the contents of the files of a collection are remembered."""
    return home / "cache" / "inputs" / f"{collection}.parquet"


def _file(home: Path) -> Path:
    return home / "automation" / "changed_files.json"


def _write_seen(home: Path, seen: dict[str, Seen]) -> str:
    text = json.dumps({name: asdict(entry) for name, entry in sorted(seen.items())}, ensure_ascii=False)
    if not _file(home).exists() or _file(home).read_text("utf-8") != text:
        with replacing(_file(home)) as beside:
            beside.write_text(text, encoding="utf-8")
    return text


def _from(names: list[str], start: str) -> Iterator[str]:
    """All names once, beginning with the first that is not before `start`."""
    yield from (name for name in names if name >= start)
    yield from (name for name in names if name < start)


def _look(
    instance: dg.DagsterInstance, collection: Collection, home: Path, until: float, seen: dict[str, Seen], tick: Tick
) -> None:
    """Bring what is known of one collection up to date, and request a run when it needs one."""
    name, now = collection.name, datetime.now(UTC)
    tick.looked_at += 1
    scan = scan_inputs(collection, contents_memory(home, name), until)
    known = seen.get(name)
    if scan.problems:
        entry = seen.setdefault(name, Seen("", now.timestamp()))
        entry.problem = f"{name}: cannot be read: {', '.join(scan.problems)}"
        return
    if scan.fingerprint is None:
        tick.unfinished.append(name)
        return
    if known is None or known.fingerprint != scan.fingerprint:
        known = seen[name] = Seen(scan.fingerprint, now.timestamp())
    known.problem = None
    if known.is_done:
        return
    past = history(instance, name)
    if past.is_done_since(known.since):
        known.is_done = True
    elif past.is_busy or past.pauses(scan.fingerprint, now):
        tick.waiting += 1
    elif past.is_held_back(scan.fingerprint):
        known.problem = (
            f"{name}: {MOST_FAILURES} runs of the same input failed or one was cancelled; repair it, or run it by hand"
        )
    else:
        attempt = past.failures_of(scan.fingerprint) + 1
        tick.requests.append(
            dg.RunRequest(
                partition_key=name,
                # The time makes a state that comes back after another one a new request.
                run_key=f"{name}:{scan.fingerprint}:{known.since:.6f}:{attempt}",
                tags={INPUT_TAG: scan.fingerprint},
            )
        )
