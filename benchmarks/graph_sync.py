"""Syncing a collection to a real Neo4j, against loading it as people usually do.

    python benchmarks/graph_sync.py [--chunks 20000] [--images 5000] [--edges 100000] [--repeat 3] [--large] [--json]

Starts Neo4j 5.26 Community itself (the jars that `.ci/neo4j` fetches; a java 17 or 21). Everybody writes the same rows
to the same server, wiped before: passages of 800 characters, images, HAS_VISUAL_EVIDENCE relationships with all their
properties. `id` is unique on both labels for everybody beforehand. The public `sync` does more than the others in that
time: it claims, holds every image in its collection, counts, keeps the note on disk.

One per cent is changed five times after each cold load, back and forth: the median of all.

- row by row: one transaction per relationship, the first 5,000 of them, extrapolated; nodes as in `plain`.
- plain: UNWIND, MERGE, SET +=, 10,000 rows a transaction.
- cartography: its `load` and `load_matchlinks` in an environment made by `uv` (with the same driver extension in Rust).

`--large` syncs 1,000,000 relationships besides, and tells the rate and the memory of the process that does.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import neo4j
import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from graph_servers import CACHE, GraphServer, Memory, running_server

from kg_pipeline.config import Settings
from kg_pipeline.graph import Graph, connect, constraints, read_graph, sync
from kg_pipeline.graph.frames import ENDS
from kg_pipeline.ids import sha256_text, stable_id

COLLECTION = "benchmark"
# Heap as Neo4j advises it for production: as large from the start as it may become.
MEMORY = Memory(heap="3g", initial_heap="3g", page_cache="1g", transaction="0")
ROWS = 10_000
SAMPLE = 5_000
WARM_UPS = 4
CARTOGRAPHY = ("cartography>=0.143,<0.144", "neo4j-rust-ext>=6,<7")
WORDS = (
    "The pump stands beside the tank; its valve opens when the pressure falls below two bar and the lamp on the panel "
    "turns red. Turn the key to the left, wait for the tone, then press and hold the button until the display clears. "
)

Seconds = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--edges", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="the median is taken")
    parser.add_argument("--only", default="", help="contestants, separated by commas")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", action="store_true", help="nothing but the JSON line")
    options = parser.parse_args()
    say = (lambda *_: None) if options.json else (lambda *texts: print(*texts, flush=True))
    with tempfile.TemporaryDirectory() as folder, running_server("neo4j", Path(folder), MEMORY) as server:
        race = Race(server, workload(options.chunks, options.images, options.edges), Path(folder))
        ratios = measure(race, options, say)
        if options.large:
            ratios |= measure_large(server, race.seconds["sync, cold"], options, say)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()}"
    )
    print(json.dumps({"name": "graph_sync", "ratios": ratios, "machine": machine}))


class Race:
    """The contestants, their server and what each needed."""

    def __init__(self, server: GraphServer, graph: Graph, folder: Path) -> None:
        self.server, self.graph, self.folder = server, graph, folder
        self.seconds: dict[str, Seconds] = {}

    def contestants(self) -> dict[str, Callable[[], Iterator[tuple[str, Seconds]]]]:
        """A name, and what yields measurements for it."""
        return {
            "sync": self.ours,
            "plain": self.plain,
            "row by row": self.row_by_row,
            "cartography": self.cartography,
        }

    def ours(self) -> Iterator[tuple[str, Seconds]]:
        """Cold, again unchanged, one per cent changed, back and forth."""
        with tempfile.TemporaryDirectory() as home, self.server.connect() as connection:
            graph, changed = self.graph, one_percent_changed(self.graph)
            turns = [("cold", graph), ("unchanged", graph)]
            turns += [("one per cent", found) for found in (changed, graph, changed, graph, changed)]
            for name, found in turns:
                # What a graph has worked out of itself, each sync has to work out anew.
                wanted = Graph(found.nodes, found.edges)
                started = time.perf_counter()
                report = sync(connection, COLLECTION, wanted, home=Path(home))
                yield f"sync, {name}", {"total": time.perf_counter() - started}
                assert (report.writes == 0) == (name == "unchanged"), report
            assert read_graph(connection, COLLECTION, ()).equals(changed)

    def plain(self) -> Iterator[tuple[str, Seconds]]:
        """UNWIND and MERGE in batches."""
        with self._driver() as driver:
            yield "plain", self._plain_nodes(driver) | {"edges": clock(lambda: self._plain_edges(driver))}

    def row_by_row(self) -> Iterator[tuple[str, Seconds]]:
        """One transaction per relationship."""
        rows = edge_rows(self.graph)[:SAMPLE]
        with self._driver() as driver:
            seconds = self._plain_nodes(driver)

            def load() -> None:
                with driver.session() as session:
                    for row in rows:
                        session.execute_write(lambda tx, row=row: tx.run(EDGE_MERGE, rows=[row]).consume())

            share = self.graph.edges["HAS_VISUAL_EVIDENCE"].height / len(rows)
            yield "row by row", seconds | {"edges": clock(load) * share}

    def cartography(self) -> Iterator[tuple[str, Seconds]]:
        """The functions of cartography, in a process of their own."""
        python = cartography_python()
        rows = {label: self.graph.nodes[label].to_dicts() for label in ("Chunk", "Image")}
        edges = [{"start": row["start"], "end": row["end"], **row["p"]} for row in edge_rows(self.graph)]
        for name, content in {**rows, "edges": edges}.items():
            (self.folder / f"{name}.json").write_text(json.dumps(content))
        settings = self.server.settings
        secret = settings.neo4j_password.get_secret_value()
        script = Path(__file__).parent / "peers" / "cartography_load.py"
        command = [python, script, settings.neo4j_uri, settings.neo4j_username, secret, self.folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        yield "cartography", json.loads(done.stdout.splitlines()[-1])

    def run(self, name: str) -> None:
        """Wipe, prepare and let that contestant write."""
        wipe(self.server)
        for case, seconds in self.contestants()[name]():
            seconds.setdefault("total", sum(seconds.values()))
            self.seconds.setdefault(case, []).append(seconds)

    def _driver(self) -> neo4j.Driver:
        settings = self.server.settings
        auth = (settings.neo4j_username, settings.neo4j_password.get_secret_value())
        return neo4j.GraphDatabase.driver(settings.neo4j_uri, auth=auth)

    def _plain_nodes(self, driver: neo4j.Driver) -> Seconds:
        return {
            label: clock(
                lambda label=label: in_batches(
                    driver,
                    f"UNWIND $rows AS r MERGE (n:{label} {{id: r.id}}) SET n += r",
                    self.graph.nodes[label].to_dicts(),
                )
            )
            for label in ("Chunk", "Image")
        }

    def _plain_edges(self, driver: neo4j.Driver) -> None:
        in_batches(driver, EDGE_MERGE, edge_rows(self.graph))


EDGE_MERGE = """
UNWIND $rows AS r
MATCH (a:Chunk {id: r.start}) MATCH (b:Image {id: r.end})
MERGE (a)-[e:HAS_VISUAL_EVIDENCE]->(b)
SET e += r.p
"""


def measure(race: Race, options: argparse.Namespace, say: Callable[..., None]) -> dict[str, float]:
    names = options.only.split(",") if options.only else list(race.contestants())
    # At full size and several times: a server compiles what it runs often, and that takes a core from whoever needs
    # both. Statements for few rows run seldom, and are the last to be compiled.
    for name in names * WARM_UPS:
        if name != "row by row":
            race.run(name)
    race.seconds = {}
    for turn in range(options.repeat):
        # Another goes first each time: nobody always has the emptier store.
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if turn == 0 or name != "row by row":
                race.run(name)
    race.seconds = {case: middle(found) for case, found in race.seconds.items()}
    rows = race.graph.nodes["Chunk"].height + race.graph.nodes["Image"].height
    rows += race.graph.edges["HAS_VISUAL_EVIDENCE"].height
    say(f"{'':20} {'seconds':>9} {'rows/s':>9}   of which")
    for case, seconds in race.seconds.items():
        parts = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items() if name != "total")
        say(f"{case:20} {seconds['total']:9.2f} {rows / seconds['total']:9.0f}   {parts}")
    total = {case: seconds["total"] for case, seconds in race.seconds.items()}
    pairs = {
        "cold_vs_cartography": ("cartography", "sync, cold"),
        "cold_vs_plain": ("plain", "sync, cold"),
        "cold_vs_row_by_row": ("row by row", "sync, cold"),
        "unchanged_vs_cold": ("sync, cold", "sync, unchanged"),
        "one_percent_vs_cold": ("sync, cold", "sync, one per cent"),
    }
    ratios = {
        name: round(total[other] / total[case], 2)
        for name, (other, case) in pairs.items()
        if {other, case} <= set(total)
    }
    say(ratios)
    return ratios


def measure_large(
    server: GraphServer, small: Seconds, options: argparse.Namespace, say: Callable[..., None]
) -> dict[str, float]:
    """Ten times the relationships: their rate against that of the cold sync before, memory while they are written."""
    wipe(server)
    sizes = (options.chunks, options.images, options.edges * 10)
    # Processes of their own: the peak of this one has the rows of all contestants, and that of who makes the rows is
    # not what syncing them takes.
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as own_process,
    ):
        own_process.submit(save_workload, Path(folder), *sizes).result()
        rows, seconds, before, peak = own_process.submit(sync_alone, server.settings, Path(folder)).result()
    rate = rows / seconds
    small_rate = (rows - options.edges * 9) / small["total"]
    say(f"{rows:,} rows in {seconds:.1f} s: {rate:.0f}/s; peak memory {peak:.0f} MB, {before:.0f} before it")
    return {"large_rate_vs_cold": round(rate / small_rate, 2), "large_memory_megabytes": round(peak)}


def save_workload(folder: Path, chunks: int, images: int, edges: int) -> None:
    """Write the rows to a folder, as tables are."""
    for name, rows in workload(chunks, images, edges).parts():
        rows.write_parquet(folder / f"{name}.parquet")


def sync_alone(settings: Settings, folder: Path) -> tuple[int, float, float, float]:
    """Rows synced, seconds, megabytes of this process before and at its peak."""
    graph = Graph.of_sorted({name: pl.read_parquet(folder / f"{name}.parquet") for name in Graph.empty().counts()})
    before = peak_memory()
    with tempfile.TemporaryDirectory() as home, connect(settings, Path("unused")) as connection:
        seconds = clock(lambda: sync(connection, COLLECTION, graph, home=Path(home)))
    return graph.size, seconds, before, peak_memory()


def workload(chunks: int, images: int, edges: int) -> Graph:
    """A collection whose images are each evidence for some passages, a few of them for very many."""
    chunk_ids = [stable_id("chunk", number) for number in range(chunks)]
    image_ids = [sha256_text(f"image {number}") for number in range(images)]
    text = (WORDS * (800 // len(WORDS) + 1))[:780]
    passages = pl.DataFrame(
        {
            "id": chunk_ids,
            "text": [f"{number:>18}: {text}" for number in range(chunks)],
            "index": range(chunks),
            "heading": [f"Manual > Part {number % 37} > Step {number % 11}" for number in range(chunks)],
            "line_start": [number * 10 + 1 for number in range(chunks)],
            "line_end": [number * 10 + 10 for number in range(chunks)],
            "page": [None] * chunks,
            "embedding": [None] * chunks,
        }
    )
    pictures = pl.DataFrame(
        {
            "id": image_ids,
            "format": ["PNG"] * images,
            "width": [640 + number % 100 for number in range(images)],
            "height": [480] * images,
            "text": [f"Pump {number} pressure bar START STOP" for number in range(images)],
        }
    )
    places = pl.DataFrame(
        {"start": image_ids, "paths": [[f"img/{n}.png"] for n in range(images)]}
    ).with_columns(
        start_label=pl.lit("Image"), start_key=pl.lit("id"), end_label=pl.lit("Collection"), end_key=pl.lit("id"),
        end=pl.lit(COLLECTION), uri=pl.format("file:///docs/{}", pl.col("paths").list.first()),
        orphan_reason=pl.lit(None, pl.String),
    )  # fmt: skip
    # 7,919 and 104,729 are primes: the pairs are spread over both sides, and none comes twice.
    pairs = pl.DataFrame({"n": range(edges)}).select(
        n="n", c=(pl.col("n") * 7_919) % chunks, i=(pl.col("n") * 7_919 // chunks * 104_729 + pl.col("n")) % images
    )
    pairs = pairs.unique(["c", "i"], keep="first", maintain_order=True)
    assert pairs.height == edges, pairs.height
    score = ((pl.col("n") * 31) % 500).cast(pl.Float64) / 100 + 5
    evidence = pairs.select(
        start_label=pl.lit("Chunk"), start_key=pl.lit("id"),
        start=pl.col("c").replace_strict(dict(enumerate(chunk_ids))),
        end_label=pl.lit("Image"), end_key=pl.lit("id"), end=pl.col("i").replace_strict(dict(enumerate(image_ids))),
        log_odds=(score / 3).round(4), score=score, confidence=score / 10, confidence_source=pl.lit("calibrated"),
        rank=pl.col("n") % 3 + 1, margin=(pl.col("n") % 77).cast(pl.Float64) / 100,
        scorer=pl.lit("evidence-5f1c2a9b7d30"),
        strategies=pl.when(pl.col("n") % 2 == 0).then(pl.lit(["lexical", "proximity"])).otherwise(pl.lit(["sibling"])),
        reason=pl.format(
            "Score: {} — file name and passage share 'pump', 'valve'; text read in the picture stands in the passage; "
            "the folder's other images are used in this document", score.round(1)
        ),
        verdict=pl.lit(None, pl.String), verdict_synced=pl.lit(None, pl.String), best_chunk=pl.lit(None, pl.String),
    )  # fmt: skip
    return Graph.of({"Chunk": passages, "Image": pictures}, {"IN_COLLECTION": places, "HAS_VISUAL_EVIDENCE": evidence})


def one_percent_changed(graph: Graph) -> Graph:
    """Every hundredth passage and relationship: headings and scores changed, some relationships gone, as many new."""
    chunks = graph.nodes["Chunk"].with_row_index("n")
    heading = pl.when(pl.col("n") % 100 == 0).then(pl.lit("Manual > Changed")).otherwise(pl.col("heading"))
    evidence = graph.edges["HAS_VISUAL_EVIDENCE"].with_row_index("n")
    score = pl.when(pl.col("n") % 200 == 0).then(pl.lit(9.99)).otherwise(pl.col("score"))
    kept = evidence.filter(pl.col("n") % 400 != 100).with_columns(score=score).drop("n")
    images = graph.nodes["Image"]["id"]
    gone = evidence.filter(pl.col("n") % 400 == 100).drop("n")
    new = gone.with_columns(end=pl.Series(images.reverse().extend_constant("", 0).gather(range(0, gone.height))))
    new = new.join(kept, on=list(ENDS), how="anti")
    return Graph.of(
        {**graph.nodes, "Chunk": chunks.with_columns(heading=heading).drop("n")},
        {**graph.edges, "HAS_VISUAL_EVIDENCE": pl.concat([kept, new])},
    )


def edge_rows(graph: Graph) -> list[dict[str, object]]:
    frame = graph.edges["HAS_VISUAL_EVIDENCE"]
    return frame.select("start", "end", p=pl.struct(pl.exclude(ENDS))).to_dicts()


def in_batches(driver: neo4j.Driver, text: str, rows: list[dict[str, object]]) -> None:
    with driver.session() as session:
        for start in range(0, len(rows), ROWS):
            batch = rows[start : start + ROWS]
            session.execute_write(lambda tx, batch=batch: tx.run(text, rows=batch).consume())


def wipe(server: GraphServer) -> None:
    """Delete every node and see to it that `id` is unique on every label."""
    with server.connect() as connection, connection.driver.session() as session:
        session.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 1000 ROWS").consume()
        for statement in constraints():
            session.run(statement).consume()


def cartography_python() -> Path:
    """The interpreter of an environment that has cartography, made on first use."""
    folder = CACHE / "peers" / "cartography"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *CARTOGRAPHY], check=True)
        (folder / "complete").touch()
    return python


def clock(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def middle(found: list[Seconds]) -> Seconds:
    return {name: statistics.median(seconds[name] for seconds in found) for name in found[0]}


def peak_memory() -> float:
    """Megabytes that this process had in memory at most (Linux)."""
    # Not ru_maxrss, which begins with the peak of whoever spawned the process.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].removesuffix("kB")) / 1024


if __name__ == "__main__":
    main()
