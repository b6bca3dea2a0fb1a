"""32 clients at one server against one client at a time: requests a second, latencies, whose answers are right.

    OMP_NUM_THREADS=1 python benchmarks/serving.py [--seconds 15] [--clients 32]

A real `kg-pipeline serve` with a random checkpoint of the real architecture on the CPU. Every request asks what nobody
has asked before, so nothing but shared turns can make 32 clients faster than one. Two loads: `one set`, another query
over the same three pictures (people who search a folder), and `own pictures`, one query over one of 64 pictures. Every
answer is compared with direct scoring. Then the queue is overrun. The clients run in a process of their own; with two
cores, one is left to the model, hence one thread for it. What sharing turns can save at all is measured beside it: CPU
time of the scorer for a request alone and for as many at once as there are clients. Servers and watchers that are
killed: serving_kills.py. Ends with one JSON line.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from PIL import Image

if TYPE_CHECKING:
    from kg_pipeline.reranking import Reranker

TESTS = Path(__file__).resolve().parents[1] / "tests"
PICTURES = 64
WANTED = 3.0
"""Times the throughput of one client at a time."""
CLOSE = 2e-3
"""Log-odds that packing with other pairs may move in fp32; another query moves them by 0.02 and more."""
PATIENCE_SECONDS = 600.0
"""How long a client repeats a request: a server that is started again loads a model, on a busy machine for minutes."""
RETRIED = (429, 502, 503, 504)

Body = dict[str, Any]


@dataclass
class Tally:
    """What clients saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: list[tuple[Body, Body]] = field(default_factory=list)
    """Bodies of request and answer."""
    shed: int = 0
    repeated: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each load")
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    from qwen_checkpoints import build_checkpoint

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = build_checkpoint(folder / "checkpoint")
        pictures = draw(folder / "pictures")
        direct = direct_scorer(checkpoint, pictures)
        numbers = count()
        reachable = {}
        loads: dict[str, Callable[[], Body]] = {
            "one set": lambda: {"query": query(next(numbers)), "image_paths": [f"{n:02}.png" for n in range(3)]},
            "own pictures": lambda: about_one_picture(next(numbers)),
        }
        for load, make in loads.items():
            alone_ms, together_ms = (cpu_of_a_request(direct, make, at_once) for at_once in (1, options.clients))
            reachable[load] = alone_ms / together_ms
            print(
                f"{load}: the scorer takes {alone_ms:.2f} ms of CPU for a request alone, {together_ms:.2f} ms each for "
                f"{options.clients} at once: {reachable[load]:.1f} times",
                flush=True,
            )
        ratios, wrong, bodies = {}, 0, 0
        with server(folder, checkpoint) as (url, _):
            run(url, loads["own pictures"], options.clients, 3.0)  # warm
            for load, make in loads.items():
                alone = run(url, make, 1, options.seconds)
                together = run(url, make, options.clients, options.seconds)
                ratios[load] = together.rate / alone.rate
                for clients, tally in ((1, alone), (options.clients, together)):
                    mistakes = check(tally, direct)
                    wrong += mistakes
                    bodies += len(tally.answers)
                    report(load, clients, tally, mistakes)
                print(f"{load}: {ratios[load]:.1f} times the throughput")
        overload = overrun(folder, checkpoint, loads["own pictures"], direct)
    load_average = os.getloadavg()[0]
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, load {load_average:.1f}"
    print(
        json.dumps(
            {
                "name": "serving",
                "ratios": {load: round(ratio, 2) for load, ratio in ratios.items()},
                "bound": dict.fromkeys(ratios, WANTED),
                "reachable": {load: round(ratio, 2) for load, ratio in reachable.items()},
                "answers": bodies,
                "wrong": wrong,
                "overload": overload,
                "machine": machine,
            }
        )
    )


def about_one_picture(number: int) -> Body:
    return {"query": query(number), "image_paths": [f"{number % PICTURES:02}.png"]}


def query(number: int) -> str:
    return f"picture number {number} with a {('red', 'green', 'blue')[number % 3]} lamp at door {number * 7919 % 997}"


def draw(folder: Path) -> Path:
    folder.mkdir()
    for number in range(PICTURES):
        image = Image.new("RGB", (84, 56), (number * 37 % 256, number * 91 % 256, number * 53 % 256))
        image.paste((255, 255, 255), (number % 60, number % 30, number % 60 + 20, number % 30 + 20))
        image.save(folder / f"{number:02}.png")
    return folder


@dataclass(frozen=True)
class Direct:
    """The reranker itself, without a server."""

    reranker: "Reranker"
    pictures: Path

    def log_odds(self, text: str, names: list[str]) -> list[float]:
        """Of one query."""
        from kg_pipeline.reranking import score_files

        files = [str(self.pictures / name) for name in names]
        return [row["log_odds"] for row in score_files(self.reranker, files, [text])]

    def score(self, bodies: list[Body]) -> None:
        """Requests in one turn, merged by picture as the server does."""
        from kg_pipeline.reranking import ImageTexts

        texts: dict[str, list[str]] = {}
        for body in bodies:
            for name in body["image_paths"]:
                texts.setdefault(name, []).append(body["query"])
        groups = [ImageTexts(name, (self.pictures / name).read_bytes, tuple(asked)) for name, asked in texts.items()]
        assert not any(scores.error for scores in self.reranker.score(groups))


def direct_scorer(checkpoint: Path, pictures: Path) -> Direct:
    """The scorer of the server, in this process."""
    from kg_pipeline.config import Scoring
    from kg_pipeline.reranking import choose_reranker

    scoring = Scoring(
        reranker="qwen-vl", checkpoint=str(checkpoint), dtype="float32", device="cpu", direction="text-to-image"
    )
    reranker = choose_reranker(scoring).reranker
    assert reranker
    return Direct(reranker, pictures)


def cpu_of_a_request(direct: Direct, make: Callable[[], Body], at_once: int) -> float:
    """Milliseconds of CPU of the scorer; the least of five, for what disturbs only adds."""
    turns = max(1, 64 // at_once)
    direct.score([make() for _ in range(at_once)])
    found = []
    for _ in range(5):
        asked = [[make() for _ in range(at_once)] for _ in range(turns)]
        before = time.process_time()
        for bodies in asked:
            direct.score(bodies)
        found.append((time.process_time() - before) / (turns * at_once))
    return 1000 * min(found)


@contextmanager
def server(
    folder: Path, checkpoint: Path, *more: str, port: int | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`kg-pipeline serve` over the pictures, until the block ends."""
    port = port or free_port()
    command = [sys.executable, "-m", "kg_pipeline", "serve", "--port", str(port), "--home", str(folder / "home")]
    command += ["--image-root", str(folder / "pictures"), "--reranker", "qwen-vl", "--checkpoint", str(checkpoint)]
    command += ["--dtype", "float32", "--device", "cpu", *more]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    pool = urllib3.PoolManager(retries=False)
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended"
        try:
            if pool.request("GET", f"{url}/api/health", timeout=5).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.2)
    raise TimeoutError("the server did not start")


def free_port() -> int:
    """Below the ports that clients get: one that calls while nobody listens must not end up talking to itself."""
    for port in range(20_000, 30_000):
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 20000 and 30000")


def run(url: str, make: Callable[[], Body], clients: int, seconds: float, patient: bool = True) -> Tally:
    """So many clients, each asking again as soon as it has its answer. The patient ones repeat what was refused."""
    tally, lock = Tally(), threading.Lock()
    pool = urllib3.PoolManager(maxsize=clients, retries=False)
    started = time.perf_counter()

    def client() -> None:
        while time.perf_counter() - started < seconds:
            with lock:
                body = make()
            asked = time.perf_counter()
            answer = ask(pool, url, body, tally, lock, patient)
            with lock:
                if answer is not None:
                    tally.latencies.append(time.perf_counter() - asked)
                    tally.answers.append((body, answer))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.seconds = time.perf_counter() - started
    return tally


def ask(
    pool: urllib3.PoolManager, url: str, body: Body, tally: Tally, lock: threading.Lock, patient: bool
) -> Body | None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            response = pool.request("POST", f"{url}/api/rerank", json=body, timeout=60)
            status = response.status
        except urllib3.exceptions.HTTPError:
            status = 503  # nobody there, or it died over the answer
        if status == 200:
            return json.loads(response.data)
        with lock:
            tally.shed += status == 429
        if status not in RETRIED or not patient:
            break
        with lock:
            tally.repeated += 1
        time.sleep(0.1)
    with lock:
        tally.failed += 1
    return None


def check(tally: Tally, direct: Direct) -> int:
    """How many answers are not those of direct scoring."""
    wrong = 0
    for body, answer in tally.answers:
        wanted = dict(zip(body["image_paths"], direct.log_odds(body["query"], body["image_paths"]), strict=True))
        found = {row["image_path"]: row["log_odds"] for row in answer["results"]}
        wrong += found.keys() != wanted.keys() or any(abs(found[name] - wanted[name]) > CLOSE for name in wanted)
    return wrong


def report(load: str, clients: int, tally: Tally, wrong: int) -> None:
    cuts = statistics.quantiles(tally.latencies, n=100)
    print(
        f"{load}, {clients} clients: {tally.rate:.1f} requests/s, p50 {1000 * cuts[49]:.0f} ms, "
        f"p99 {1000 * cuts[98]:.0f} ms, {len(tally.answers)} answers, {wrong} wrong, {tally.failed} failed "
        f"(load {os.getloadavg()[0]:.1f})",
        flush=True,
    )


def overrun(folder: Path, checkpoint: Path, make: Callable[[], Body], direct: Direct) -> Body:
    """A queue of 8 pairs before 64 clients that do not wait: what is shed, and whether it recovers."""
    with server(folder, checkpoint, "--max-waiting-pairs", "8") as (url, _):
        tally = run(url, make, 64, 5.0, patient=False)
        after = run(url, make, 1, 1.0)
    wrong = check(tally, direct)
    print(
        f"overload: {len(tally.answers)} answers ({wrong} wrong), {tally.shed} shed with 429, "
        f"{tally.failed - tally.shed} failed otherwise; then one client: {len(after.answers)} answers, "
        f"{after.failed} failed",
        flush=True,
    )
    return {"answers": len(tally.answers), "wrong": wrong, "shed": tally.shed, "failed_after": after.failed}


if __name__ == "__main__":
    main()
