"""What each signal of the evidence is worth, and how weights learned on other sites do: hidden references found again.

    python benchmarks/ablation.py --config collections.yaml [--home HOME] [--signal NAME[+NAME…] …]

First table: the weights as shipped, and below what taking the weight from one signal (NAME+NAME: from both) changes, in
points averaged over the collections; a signal without weight proposes nothing and speaks for no pair. Cold: no
reference is visible. Folds: those of a fifth of the pictures hidden at a time. Stressed: cold, names hashed, folders
flat. Second table: each collection judged by weights as shipped, by weights fitted on the other collections, and
(folds) on its own other folds. HOME lends its OCR cache. Ends with one JSON line.
"""

import argparse
import json
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.weights import DOCUMENT_WEIGHTS, PASSAGE_WEIGHTS
from kg_pipeline.config import Collection, load_collections
from kg_pipeline.evaluation import HiddenRun, Protocol, hidden_run, read_corpus, stressed, truth_of
from kg_pipeline.evaluation.cross_fitting import cross_fitted, judge_folds, training_pairs
from kg_pipeline.evaluation.measures import measure_ranks
from kg_pipeline.evidence import Calibration, fit_weights
from kg_pipeline.evidence.model import EVIDENCE_SCORER, PASSAGE

MEASURES = (("recall", 50), ("recall", 10), ("near", 1), ("recall", 1), ("all", 50), ("document", 1))
HEAD = ("r@50", "r@10", "near@1", "strict@1", "all@50", "doc@1")
SETTINGS: tuple[tuple[str, Protocol, frozenset[str]], ...] = (
    ("cold", "cold", frozenset()),
    ("folds", "folds", frozenset()),
    ("stressed", "cold", frozenset({"hashed-names", "flat-folders"})),
)
PROTOCOLS: tuple[Protocol, ...] = ("cold", "folds")
Figures = dict[str, list[float]]
"""By setting: the measures in percent, averaged over the sites."""


@dataclass(frozen=True)
class Site:
    """A collection and what is true in it."""

    collection: Collection
    corpora: dict[frozenset[str], Corpus]
    """By stress; each keeps the scores of its fields."""
    truth: pl.DataFrame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path(".kg-pipeline"))
    parser.add_argument("--signal", nargs="+", default=list(PASSAGE.weights))
    options = parser.parse_args()
    if unknown := {name for signal in options.signal for name in signal.split("+")} - set(PASSAGE.weights):
        parser.error(f"no such signal: {', '.join(sorted(unknown))}")
    sites = [read_site(each, options.home) for each in load_collections(options.config).values()]
    print(f"{len(sites)} sites, {sum(site.truth['image_id'].n_unique() for site in sites)} pictures with a reference")
    shipped = figures(sites)
    signals = ablation(sites, options.signal, shipped)
    others = learned_elsewhere(sites)
    print(json.dumps({"name": "ablation", "shipped": shipped, "without": signals, "weights": others}))


def read_site(collection: Collection, home: Path) -> Site:
    corpus = read_corpus(collection, home)
    return Site(collection, {stress: stressed(corpus, stress) for _, _, stress in SETTINGS}, truth_of(corpus))


def ablation(sites: Sequence[Site], signals: Sequence[str], shipped: Figures) -> dict[str, Figures]:
    print(f"\n{'':18}" + "".join(f"{name:^{9 * len(HEAD)}}" for name in shipped))
    print(f"{'':18}" + "".join(f"{name:>9}" for _ in shipped for name in HEAD))
    print(f"{'as shipped':18}" + "".join(f"{value:9.1f}" for part in shipped.values() for value in part), flush=True)
    found = {}
    for signal in signals:
        with without_weight(signal.split("+")):
            found[signal] = figures(sites)
        changes = [b - a for name in shipped for a, b in zip(shipped[name], found[signal][name], strict=True)]
        print(f"- {signal:16}" + "".join(f"{change:+9.1f}" for change in changes), flush=True)
    return found


@contextmanager
def without_weight(signals: Sequence[str]) -> Iterator[None]:
    """Blocking and evidence as if the signal were not there."""
    places = [
        (cast(MutableMapping[str, float], weights), name, weights[name])
        for weights in (PASSAGE_WEIGHTS, DOCUMENT_WEIGHTS, PASSAGE.weights)
        for name in set(signals) & set(weights)
    ]
    for weights, name, _ in places:
        weights[name] = 0.0
    try:
        yield
    finally:
        for weights, name, weight in places:
            weights[name] = weight


def figures(sites: Sequence[Site]) -> Figures:
    found = {}
    for name, protocol, stress in SETTINGS:
        runs = [hidden_run(site.collection, site.corpora[stress], protocol) for site in sites]
        found[name] = average([measures(run.evidence, site) for run, site in zip(runs, sites, strict=True)])
    return found


def learned_elsewhere(sites: Sequence[Site]) -> dict[str, Figures]:
    found: dict[str, Figures] = {"as shipped": {}, "learned on the other sites": {}, "own other folds": {}}
    for protocol in PROTOCOLS:
        runs = [hidden_run(site.collection, plain(site), protocol) for site in sites]
        pairs = [training_pairs(run, site.truth) for run, site in zip(runs, sites, strict=True)]
        rows: dict[str, list[list[float]]] = {name: [] for name in found}
        for place, (site, run) in enumerate(zip(sites, runs, strict=True)):
            rows["as shipped"].append(measures(run.evidence, site))
            others = pl.concat(part for other, part in enumerate(pairs) if other != place)
            weights = Calibration(EVIDENCE_SCORER, fit_weights(others, with_reranker=False))
            rows["learned on the other sites"].append(measures(judged(site, run, weights), site))
            if protocol == "folds":
                rows["own other folds"].append(
                    measures(cross_fitted(site.collection, plain(site), run, site.truth), site)
                )
        for name, values in rows.items():
            if values:
                found[name][protocol] = average(values)
    print(f"\n{'weights':28}" + "".join(f"{name:^{9 * len(HEAD)}}" for name in PROTOCOLS))
    print(f"{'':28}" + "".join(f"{name:>9}" for _ in PROTOCOLS for name in HEAD))
    for name, parts in found.items():
        cells = [parts.get(protocol) for protocol in PROTOCOLS]
        print(f"{name:28}" + "".join("".join(f"{v:9.1f}" for v in cell) if cell else " " * 54 for cell in cells))
    return found


def judged(site: Site, run: HiddenRun, calibration: Calibration) -> pl.DataFrame:
    folds = run.pairs["fold"].unique().to_list()
    return judge_folds(site.collection, plain(site), run, dict.fromkeys(folds, calibration))


def plain(site: Site) -> Corpus:
    return site.corpora[frozenset()]


def measures(evidence: pl.DataFrame, site: Site) -> list[float]:
    found = {(sample.metric, sample.k): sample.values.mean() for sample in measure_ranks(evidence, site.truth)}
    return [round(100 * float(found[key]), 2) for key in MEASURES]


def average(sites: Sequence[list[float]]) -> list[float]:
    return [round(sum(column) / len(column), 2) for column in zip(*sites, strict=True)]


if __name__ == "__main__":
    main()
