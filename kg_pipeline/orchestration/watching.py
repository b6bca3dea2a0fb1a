"""What the checks look for that warn and do not block: each rule looks at one collection and says what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from kg_pipeline.config import Collection
from kg_pipeline.evidence import calibration_of
from kg_pipeline.orchestration.tables_up_to_date import changes_since_tables
from kg_pipeline.orphans import incomplete_sources
from kg_pipeline.storage import TableStore

MOST_EDGES_CHANGED = 0.25
"""Of the edges before and the new ones together; an edge that was replaced counts twice, so it is one edge in seven.
Chosen, not measured: more than a night's edits should replace, less than a new scorer or a moved root does."""
FEWEST_EDGES = 20
"""Of fewer edges a quarter is soon changed."""
LEAST_PICTURES_COVERED = 0.95
"""On three documentation sites all of 472 pictures have candidates."""
LEAST_REFERENCES_FOUND = 0.8
"""Of hidden references, the passage is among 50 candidates for 96.7 to 100 % on those sites, and for 78 % where the
names of files say nothing and all lie in one folder (benchmarks/results/evaluation-2026-11-22.md): then this warns."""
FEWEST_REFERENCES = 20
"""Of fewer a fifth is soon missed."""
EXAMPLES = 5


@dataclass(frozen=True)
class Subject:
    """One collection: its settings, its tables, and what the last materialization of an asset said."""

    collection: Collection
    store: TableStore
    said: Callable[[str], Mapping[str, object]]

    def read(self, table: str) -> pl.DataFrame:
        """The table. Raises MissingTableError."""
        return self.store.scan(table, self.collection.name).collect()


@dataclass(frozen=True)
class Finding:
    """What a rule found: whether all is well, a sentence that says what to do where it is not, figures."""

    passed: bool
    text: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A check of an asset."""

    asset: str
    name: str
    description: str
    find: Callable[[Subject], Finding]


def unreadable_sources(subject: Subject) -> Finding:
    """Documents, folders and pictures that were not read."""
    documents, files = subject.read("documents"), subject.read("image_files")
    unread = incomplete_sources(documents, files)
    broken = files.filter(pl.col("status").is_in(["unreadable", "skipped", "stale"]))
    figures: dict[str, float | int | str] = {
        "documents, folders and archives not read": len(unread),
        "pictures not read": len(broken),
        "stale": len(documents.filter(status="stale")) + len(files.filter(status="stale")),
        "examples": "; ".join([*unread[:EXAMPLES], *broken["path"].head(EXAMPLES)]),
    }
    return Finding(
        not unread and broken.is_empty(),
        f"{len(unread)} sources and {len(broken)} pictures were not read: orphans are named with caution, and what "
        "stood there last time is kept. The columns `status` and `error` of the tables documents and image_files say "
        "why: mend the files or their rights, or leave them out (`exclude` in collections.yaml), and run again",
        figures,
    )


def candidate_coverage(subject: Subject) -> Finding:
    """Whether blocking proposes texts for the pictures, and would have proposed those that really show them."""
    pairs = subject.read("candidate_pairs").filter(text_kind="chunk")
    content = subject.read("images").filter(role="content").select("image_id")
    covered = len(content.join(pairs, on="image_id", how="semi"))
    used = subject.read("references").filter(status="ok").select("image_id", text_id="chunk_id").drop_nulls().unique()
    # The pair of a visible reference is always a candidate; only other strategies say what blocking is worth.
    proposed = pairs.filter(pl.col("strategies").list.set_difference(["reference"]).list.len() > 0)
    used = used.join(content, on="image_id", how="semi")
    found = len(used.join(proposed, on=["image_id", "text_id"], how="semi"))
    pictures, references = covered / max(1, len(content)), found / max(1, len(used))
    has_texts = not subject.read("chunks").is_empty()
    enough = pictures >= LEAST_PICTURES_COVERED or not has_texts or content.is_empty()
    return Finding(
        enough and (references >= LEAST_REFERENCES_FOUND or len(used) < FEWEST_REFERENCES),
        f"{covered} of {len(content)} pictures have candidate passages, and blocking alone proposes {found} of the "
        f"{len(used)} pairs that documents reference: what is not proposed is never scored. Raise scoring.proposals "
        "or scoring.candidates in collections.yaml, let the text in pictures be read (scoring.ocr) or described "
        "(descriptions), and see `kg-pipeline evaluate`",
        {
            "pictures": len(content),
            "share of pictures with candidates": round(pictures, 4),
            "referenced pairs": len(used),
            "share of them that blocking proposes": round(references, 4),
        },
    )


def edges_changed(subject: Subject) -> Finding:
    """Share of the edges that the last materialization of visual_evidence added or took away."""
    said = subject.said("visual_evidence")
    now, before, added, removed = (
        _number(said.get(name)) for name in ("edges", "edges_before", "edges_added", "edges_removed")
    )
    if "edges_before" not in said:
        return Finding(True, "", {"edges": now})
    share = (added + removed) / max(1, before + added)
    return Finding(
        share <= MOST_EDGES_CHANGED or max(now, before) < FEWEST_EDGES,
        f"{added} edges are new and {removed} are gone, of {before} before: more than {MOST_EDGES_CHANGED:.0%}. "
        "Look at `rows_changed` of the tables before it for where that begins (documents moved, another scorer, a new "
        "calibration), at the weakest edges, and at `kg-pipeline graph diff`; `whole_path` writes the graph anyway, "
        "short of the mass-delete guard",
        {"edges": now, "before": before, "added": added, "removed": removed, "share changed": round(share, 4)},
    )


def calibration_present(subject: Subject) -> Finding:
    """Whether confidence was fitted for the scorer that is in use."""
    name = subject.collection.name
    scorers = subject.read("pair_scores")["scorer"].unique().sort().to_list()
    weights, calibrators = (subject.store.read(table, name) for table in ("evidence_weights", "calibrators"))
    missing = [scorer for scorer in scorers if calibration_of(scorer, weights, calibrators) is None]
    return Finding(
        not missing,
        f"no calibration of {', '.join(missing)}: the confidence of an edge is its score / 10, not a probability. "
        f"Launch the job `calibrate` (or `kg-pipeline calibrate --collection {name}`), and then `whole_path`; a "
        "collection with few references cannot be calibrated, and may keep this warning",
        {"scorers": ", ".join(scorers), "versions": calibrators["version"].n_unique()},
    )


def files_changed_since(subject: Subject) -> Finding:
    """Whether the files are what the tables were read from."""
    changes = changes_since_tables(subject.collection, subject.store)
    names = [*changes.new, *changes.gone, *changes.altered]
    return Finding(
        not names,
        f"{len(changes.new)} files are new, {len(changes.gone)} are gone and {len(changes.altered)} were altered "
        "since the tables were written: launch `whole_path` for this collection, or switch on a schedule or sensor "
        "under Automation so that this happens by itself",
        {
            "new": len(changes.new),
            "gone": len(changes.gone),
            "altered": len(changes.altered),
            "examples": "; ".join(names[:EXAMPLES]),
        },
    )


RULES = (
    Rule("documents", "sources_are_readable", "Every document, folder and picture could be read.", unreadable_sources),
    Rule(
        "candidate_pairs",
        "candidates_cover_pictures",
        "Blocking proposes passages for nearly all pictures, among them those that documents reference.",
        candidate_coverage,
    ),
    Rule(
        "visual_evidence",
        "few_edges_changed",
        "A run changes few edges; many at once have a cause that somebody should know.",
        edges_changed,
    ),
    Rule(
        "visual_evidence",
        "confidence_is_calibrated",
        "Confidences are probabilities, fitted on references for the scorer in use.",
        calibration_present,
    ),
    Rule(
        "orphan_images",
        "tables_are_up_to_date",
        "No file was added, taken away or altered since the tables were written.",
        files_changed_since,
    ),
)
"""The assets they watch are those of the job `whole_path`; one step looks at all of them."""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
