"""What pictures do to search: passages found and illustrated passages among the first ten, by weight.

    python benchmarks/retrieval.py CORPORA [--weight 0 0.1 0.3 …]

CORPORA: a folder with the documentation sites of the tests (KG_PIPELINE_TEST_CORPORA).

- Questions with a picture: what authors wrote as caption or alternative text of a picture, which stands in no passage.
  Right is the passage that the author put the picture at. `cold`: no reference of anything is visible, so a passage
  counts as illustrated by what the evidence found, never by what its author did. `folds`: the references of a fifth of
  the pictures, the asked one among them, are hidden; the passages of all others have theirs, as in a run, and the right
  one has not, so this is the worst case.
- Questions without: headings of passages that their author gave no picture, taken out of all passages first. Right is
  the passage below the heading. What pictures cost shows here. `cold` as above; `as run`: every reference is visible.

Weight 0 is compared with plain search, hit by hit; any difference ends the program with 1. Ends with one JSON line.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.tokens import squash, tokens
from kg_pipeline.config import Collection
from kg_pipeline.evaluation import hidden_run, read_corpus, truth_of
from kg_pipeline.evaluation.hidden_run import hiding_passes
from kg_pipeline.evaluation.intervals import Estimate, average, bootstrap, estimate, mean
from kg_pipeline.images import import_ocr
from kg_pipeline.retrieval import TablePassages, illustrated_first, plain_search
from kg_pipeline.retrieval.searching import POOL
from kg_pipeline.tables import TABLES

SITE_ROOTS = {
    "frc-docs": {"/": "."},
    "maixpy": {"/maixpy/": ".", "/": "."},
    "windows-iotcore": {"/windows/iot-core/": ".", "~/": "."},
}
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
TOP = 10
MIN_WORDS = 2
"""A question of fewer words says too little to have one right answer."""

Measures = Mapping[str, list[float]]
MEASURES = {
    "recall": f"right passage among {TOP}",
    "ndcg": f"nDCG@{TOP}",
    "mrr": "MRR",
    "evidence": f"illustrated among {TOP}, by evidence",
    "author": f"illustrated among {TOP}, by the author",
}


@dataclass(frozen=True)
class Question:
    """Words, the passages that are right, and the pictures that the words were written about."""

    text: str
    right: frozenset[str]
    images: frozenset[str] = frozenset()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, help="folder with frc-docs, maixpy, windows-iotcore")
    parser.add_argument("--weight", type=float, nargs="+", default=WEIGHTS, help="0 has to be among them")
    options = parser.parse_args()
    found: dict[str, list[dict[float, Measures]]] = defaultdict(list)
    different = 0
    with tempfile.TemporaryDirectory() as home:
        for name in SITE_ROOTS:
            corpus, collection = read_site(options.corpora / name, name, Path(home))
            of_site: dict[str, dict[float, Measures]] = {}
            for kind, questions, passages, author in tasks(collection, corpus):
                values = of_site.setdefault(kind, {weight: defaultdict(list) for weight in options.weight})
                different += measure(passages, questions, author, values)
            for kind, values in of_site.items():
                found[kind].append(values)
                print(f"{name}: {len(values[0.0]['mrr'])} questions {kind}")
    print(f"{different} questions whose hits at weight 0 are not those of plain search, in order and score")
    for kind, sites in found.items():
        print(f"\nQuestions {kind}: average over {len(sites)} sites; difference to weight 0 with its 95 % interval\n")
        report(sites, options.weight)
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    values = {
        kind: {
            str(weight): {name: round(averaged(sites, weight, name).value, 4) for name in MEASURES}
            for weight in options.weight
        }
        for kind, sites in found.items()
    }
    load = round(os.getloadavg()[1], 1)
    print(
        json.dumps({"name": "retrieval", "ratios": values, "unlike_plain": different, "machine": machine, "load": load})
    )
    return 1 if different else 0


def read_site(folder: Path, name: str, home: Path) -> tuple[Corpus, Collection]:
    import_ocr(folder / "ocr.csv", home / "cache" / "ocr")
    section = {"name": name, "documents": [{"root": folder / "docs", "site_roots": SITE_ROOTS[name]}]}
    collection = Collection.model_validate({**section, "scoring": {"reranker": "none"}})
    return read_corpus(collection, home), collection


def tasks(
    collection: Collection, corpus: Corpus
) -> Iterable[tuple[str, list[Question], TablePassages, frozenset[str]]]:
    """Kind, questions, the passages to search, and those that their author gave a picture."""
    none = TABLES["references"].empty()
    truth = truth_of(corpus).filter("strict", text_kind="chunk")
    author = frozenset(truth["text_id"])
    cold = hidden_run(collection, corpus, "cold").evidence.drop("fold")
    pictured = with_picture(corpus, truth)
    yield "with a picture, cold", pictured, searched(collection, corpus, cold, none), author
    folds = hidden_run(collection, corpus, "folds").evidence.drop("fold")
    for _, pictures, hidden in hiding_passes(corpus, "folds"):
        mine = [question for question in pictured if question.images <= frozenset(pictures)]
        yield "with a picture, folds", mine, searched(collection, corpus, folds, hidden.references), author
    bare = corpus.chunks.with_columns(
        text=pl.struct("text", "heading_path").map_elements(without_heading, pl.String()),
        heading_path=pl.col("heading_path").list.slice(0, pl.col("heading_path").list.len().cast(pl.Int64) - 1),
    )
    plain = without_picture(corpus, author)
    yield "without a picture, cold", plain, searched(collection, corpus, cold, none, bare), author
    yield "without a picture, as run", plain, searched(collection, corpus, cold, corpus.references, bare), author


def without_heading(row: dict) -> str:
    return row["text"].removeprefix(row["heading_path"][-1]) if row["heading_path"] else row["text"]


def searched(
    collection: Collection,
    corpus: Corpus,
    evidence: pl.DataFrame,
    references: pl.DataFrame,
    chunks: pl.DataFrame | None = None,
) -> TablePassages:
    """The product's own search, over tables in which documents show no pictures but these."""
    tables = {
        "documents": corpus.documents,
        "chunks": corpus.chunks if chunks is None else chunks,
        "references": references,
        "image_files": corpus.image_files,
        "images": corpus.images,
        "visual_evidence": evidence,
        "concepts": corpus.concepts,
        "verdicts": TABLES["verdicts"].empty(),
    }
    return TablePassages({collection.name: tables})


def with_picture(corpus: Corpus, truth: pl.DataFrame) -> list[Question]:
    """What is written about each asked picture, where it says more than a name."""
    right = {key[0]: frozenset(rows["text_id"]) for key, rows in truth.group_by("image_id")}
    asked = set()
    shown = corpus.references.filter(pl.col("status") == "ok").drop_nulls("image_id")
    for image, path, *said in shown.select("image_id", "image_path", "alt", "caption").iter_rows():
        name = squash(PurePosixPath(path).stem)
        for text in filter(None, said):
            if image in right and squash(text) != name and len(set(tokens(text))) >= MIN_WORDS:
                asked.add((text.strip(), image))
    of_text = defaultdict(set)
    for text, image in asked:
        of_text[text].add(image)
    return [
        Question(text, frozenset().union(*(right[image] for image in images)), frozenset(images))
        for text, images in sorted(of_text.items())
    ]


def without_picture(corpus: Corpus, author: frozenset[str]) -> list[Question]:
    """Headings that stand once, of passages without a picture."""
    headed = corpus.chunks.with_columns(heading=pl.col("heading_path").list.last()).drop_nulls("heading")
    once = headed.filter(pl.len().over("heading") == 1).sort("heading")
    return [
        Question(heading, frozenset([chunk]))
        for heading, chunk, text in once.select("heading", "chunk_id", "text").iter_rows()
        if chunk not in author and len(set(tokens(heading))) >= MIN_WORDS and text.strip() != heading
    ]


def measure(
    passages: TablePassages, questions: list[Question], author: frozenset[str], values: dict[float, Measures]
) -> int:
    """Add a value per question; return how many questions weight 0 orders otherwise than plain search."""
    unlike = 0
    for question in questions:
        plain = plain_search(passages, question.text, POOL, "words")
        pool = passages.hits(plain)
        for weight, of_weight in values.items():
            hits = illustrated_first(pool, weight)
            if weight == 0:
                unlike += [(hit.chunk_id, hit.score) for hit in hits] != list(plain)
            first = hits[:TOP]
            gains = np.array([hit.chunk_id in question.right for hit in hits], float)
            places = np.flatnonzero(gains)
            discount = 1 / np.log2(np.arange(2, len(hits) + 2))
            ideal = (1 / np.log2(np.arange(2, min(TOP, len(question.right)) + 2))).sum()
            of_weight["recall"].append(float(gains[:TOP].any()))
            of_weight["ndcg"].append(float((gains[:TOP] * discount[:TOP]).sum() / ideal))
            of_weight["mrr"].append(1 / (places[0] + 1) if len(places) else 0.0)
            of_weight["evidence"].append(share(hit.visual > 0 for hit in first))
            of_weight["author"].append(share(hit.chunk_id in author for hit in first))
    return unlike


def share(holds: Iterable[bool]) -> float:
    found = list(holds)
    return sum(found) / len(found) if found else 0.0


def averaged(sites: list[dict[float, Measures]], weight: float, name: str) -> Estimate:
    return average([one for site in sites if (one := estimate(np.array(site[weight][name])))])


def changed(sites: list[dict[float, Measures]], weight: float, name: str) -> Estimate:
    """The difference to weight 0, question by question."""
    differences = [np.array(site[weight][name]) - np.array(site[0.0][name]) for site in sites]
    return average([Estimate(mean(each), len(each), *bootstrap(each, mean)) for each in differences])


def report(sites: list[dict[float, Measures]], weights: Iterable[float]) -> None:
    print("| weight | " + " | ".join(MEASURES.values()) + " |")
    print("|---|" + "---|" * len(MEASURES))
    for weight in weights:
        cells = []
        for name in MEASURES:
            cell = f"{averaged(sites, weight, name).value:.1%}"
            if weight:
                by = changed(sites, weight, name)
                cell += f" ({100 * by.value:+.1f}: {100 * by.low:+.1f} to {100 * by.high:+.1f})"
            cells.append(cell)
        print(f"| {weight:g} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    sys.exit(main())
