"""What keeps automation from requesting a failing run without end: the same input that failed is not tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from kg_pipeline.orchestration.jobs import whole_path

INPUT_TAG = "kg-pipeline/input"
"""Tag of a run that automation requested: the fingerprint of what it was to read."""
MOST_FAILURES = 3
PAUSES = (timedelta(minutes=5), timedelta(minutes=30))
"""After the first and the second failure of an input; after the third nothing more is requested."""

RUNS_LOOKED_AT = 20
WHOLE = {dg.AssetKey(name) for name in ("image_files", "documents", "visual_evidence", "knowledge_graph")}
"""A run of these is one of the whole path, whoever started it: a backfill from the UI is not of a named job."""
ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True)
class History:
    """The last runs of a collection, newest first."""

    runs: Sequence[dg.RunRecord]

    @property
    def is_busy(self) -> bool:
        """Whether a run is queued or going on."""
        return any(not record.dagster_run.is_finished for record in self.runs)

    @property
    def ended_badly(self) -> bool:
        """Whether the last run that ended did not succeed."""
        return bool(self._bad_end())

    def is_done_since(self, moment: float) -> bool:
        """Whether a run that started after `moment` (seconds since 1970) succeeded."""
        return any(_brought_all(record.dagster_run) and (record.start_time or 0) >= moment for record in self.runs)

    def failures_of(self, fingerprint: str) -> int:
        """Runs of this input that ended badly since the last success. A cancelled run counts as all there may be."""
        bad = [record for record in self._bad_end() if record.dagster_run.tags.get(INPUT_TAG) == fingerprint]
        if any(record.dagster_run.status is dg.DagsterRunStatus.CANCELED for record in bad):
            return MOST_FAILURES
        return len(bad)

    def is_held_back(self, fingerprint: str) -> bool:
        """Whether this input failed so often that only a person, or another input, starts the next run."""
        return self.failures_of(fingerprint) >= MOST_FAILURES

    def pauses(self, fingerprint: str, now: datetime) -> bool:
        """Whether it is too early to try this input again."""
        failures = self.failures_of(fingerprint)
        ended = max((record.end_time or 0 for record in self._bad_end()), default=0)
        return 0 < failures < MOST_FAILURES and now.timestamp() < ended + PAUSES[failures - 1].total_seconds()

    def _bad_end(self) -> list[dg.RunRecord]:
        """The finished runs since the last one that succeeded."""
        bad = []
        for record in self.runs:
            if _brought_all(record.dagster_run):
                break
            if record.dagster_run.status in ENDED_BADLY:
                bad.append(record)
        return bad


def history(instance: dg.DagsterInstance, collection: str) -> History:
    """What became of the last runs of a collection."""
    wanted = dg.RunsFilter(tags={"dagster/partition": collection})
    return History(instance.get_run_records(wanted, limit=RUNS_LOOKED_AT))


def _brought_all(run: dg.DagsterRun) -> bool:
    """Whether a run took the collection from its files to the graph."""
    whole = run.job_name == whole_path.name or (run.asset_selection or set()) >= WHOLE
    return whole and run.status is dg.DagsterRunStatus.SUCCESS
