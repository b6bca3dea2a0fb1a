"""Candidates and evidence for made-up collections of growing size: seconds per step, memory, growth.

    python benchmarks/candidates.py [--size 10000 100000 1000000] [--plain-size 10000]

A tenth as many images as passages. Each size runs in a process of its own, whose peak memory holds the tables read, all
indexes and the finished table. CPU seconds tell more than wall time on a machine that others use as well. The plain way
is BM25 by a loop over the words of each query, all passages scored with numpy (as rank_bm25 does it), for two of the 23
fields, on the smallest size. Ends with one JSON line.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import polars as pl
from synthetic_corpus import synthetic_corpus

from kg_pipeline.candidates import Corpus
from kg_pipeline.candidates.tokens import tokens
from kg_pipeline.config import Collection
from kg_pipeline.evidence import select_candidates

SIZES = (10_000, 100_000, 1_000_000)
# What is promised on two cores: minutes of wall time and GB for the largest size, and times faster than the plain way.
BOUND = {"minutes": 15, "peak_gb": 4, "ratio": 2}
TABLES = [field.name for field in fields(Corpus)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs="+", default=SIZES, help="numbers of passages")
    parser.add_argument("--plain-size", type=int, default=10_000, help="size of the race; 0 for none")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    found = []
    for size in options.size:
        found.append(in_own_process(size))
        report(found[-1], found[-2] if len(found) > 1 else None)
    ratio = race(options.plain_size) if options.plain_size else None
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    line = {"name": "candidates", "sizes": found, "ratio": ratio, "bound": BOUND, "machine": machine}
    print(json.dumps(line))


def in_own_process(size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        # Made elsewhere, too: what making it takes must not count as peak.
        write = "import sys; from candidates import write; write(int(sys.argv[1]), sys.argv[2])"
        here = Path(__file__).parent
        subprocess.run([sys.executable, "-c", write, str(size), folder], check=True, cwd=here)
        ran = subprocess.run(
            [sys.executable, __file__, "--measure", folder], check=True, cwd=here, stdout=subprocess.PIPE, text=True
        )
    return json.loads(ran.stdout.splitlines()[-1])


def write(size: int, folder: str) -> None:
    corpus = synthetic_corpus(size, size // 10)
    for table in TABLES:
        getattr(corpus, table).write_parquet(Path(folder) / f"{table}.parquet")


def measure(folder: Path) -> dict[str, float]:
    corpus = Corpus(**{table: pl.read_parquet(folder / f"{table}.parquet") for table in TABLES})
    collection = Collection.model_validate({"name": "bench", "documents": [{"root": "."}]})
    tables_gb = peak_gb()
    index = clock(lambda: corpus.fields)
    kept = []
    select = clock(lambda: kept.append(select_candidates(collection, corpus, last_use=True)))
    pairs, diagnostics = kept[0]
    return {
        "passages": len(corpus.chunks),
        "images": len(corpus.images),
        "index_s": index[0],
        "index_cpu_s": index[1],
        "select_s": select[0],
        "select_cpu_s": select[1],
        "tables_gb": tables_gb,
        "peak_gb": peak_gb(),
        "proposed": diagnostics["total"]["pairs"],
        "kept": len(pairs),
        "found_at_1": share_found(corpus, pairs, 1),
        "found_at_50": share_found(corpus, pairs, 50),
        "load": round(os.getloadavg()[1], 1),
    }


def share_found(corpus: Corpus, pairs: pl.DataFrame, count: int) -> float:
    """Share of the referenced images whose passage is among the first `count`."""
    truth = corpus.references.select("image_id", text_id="chunk_id")
    best = pairs.filter((pl.col("text_kind") == "chunk") & (pl.col("position") <= count))
    return round(len(truth.join(best, on=["image_id", "text_id"], how="semi")) / len(truth), 3)


def report(one: dict[str, float], smaller: dict[str, float] | None) -> None:
    wall, cpu = one["index_s"] + one["select_s"], one["index_cpu_s"] + one["select_cpu_s"]
    print(f"{one['passages']:,} passages, {one['images']:,} images (load average {one['load']})")
    print(f"  words, indexes      {one['index_s']:8.1f} s  {one['index_cpu_s']:8.1f} s of CPU")
    print(f"  proposals, features {one['select_s']:8.1f} s  {one['select_cpu_s']:8.1f} s of CPU")
    print(f"  together            {wall:8.1f} s  {cpu:8.1f} s of CPU, peak {one['peak_gb']:.2f} GB", end="")
    print(f" ({one['tables_gb']:.2f} GB with the tables alone)")
    print(f"  {one['proposed']:,} pairs proposed, {one['kept']:,} kept", end="")
    print(f"; passage of the reference first {one['found_at_1']:.1%}, among 50 {one['found_at_50']:.1%}")
    if smaller:
        before = smaller["index_cpu_s"] + smaller["select_cpu_s"]
        times = one["passages"] / smaller["passages"]
        print(f"  {times:.0f} times the size: {cpu / before:.1f} times the CPU", end="")
        print(f", {one['peak_gb'] / smaller['peak_gb']:.1f} times the memory")
    sys.stdout.flush()


def race(size: int) -> float:
    """How many times faster than the plain way, by CPU time."""
    corpus = synthetic_corpus(size, size // 10)
    collection = Collection.model_validate({"name": "bench", "documents": [{"root": "."}]})
    select_candidates(collection, synthetic_corpus(100, 10))  # compiles
    ours = clock(lambda: select_candidates(collection, corpus))[1]
    plain = clock(lambda: plain_bm25(corpus))[1]
    print(f"{size:,} passages: plain BM25 of two fields {plain:.1f} s of CPU, all fields here {ours:.1f} s", end="")
    print(f": {plain / ours:.1f} times")
    return round(plain / ours, 1)


def plain_bm25(corpus: Corpus, k1: float = 1.2, b: float = 0.75) -> list[list[int]]:
    """The 50 best passages of each image by its name, and by the lines read in it, joined."""
    counts = [Counter(tokens(text)) for text in corpus.chunks["text"]]
    lengths = np.array([sum(count.values()) for count in counts])
    containing = Counter(word for count in counts for word in count)
    norm = k1 * (1 - b + b * lengths / lengths.mean())
    lines = dict(corpus.image_texts.group_by("image_id").agg(pl.col("text").str.join(" ")).iter_rows())
    best = []
    for image, path in corpus.image_files.select("image_id", "path").iter_rows():
        found = set()
        for query in (Path(path).stem, lines.get(image, "")):
            scores = np.zeros(len(counts))
            for word in tokens(query):
                tf = np.array([count.get(word, 0) for count in counts])
                n = containing[word]
                scores += np.log1p((len(counts) - n + 0.5) / (n + 0.5)) * tf * (k1 + 1) / (tf + norm)
            found.update(np.argsort(-scores)[:50].tolist())
        best.append(sorted(found))
    return best


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return round(time.perf_counter() - wall, 1), round(time.process_time() - cpu, 1)


def peak_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)


if __name__ == "__main__":
    main()
