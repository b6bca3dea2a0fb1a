"""kill -9 of the server under load and of the watched folder at work, and a restart each time: whether a job is lost.

    OMP_NUM_THREADS=1 python benchmarks/serving_kills.py [--kills 3] [--jobs 60]

The server and the random checkpoint of serving.py. 16 clients repeat what found nobody or died with the server; every
answer is compared with direct scoring. The watcher is killed again and again at random moments while jobs arrive; in
the end every job must have one result, with the scores of direct scoring. Ends with one JSON line.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from itertools import count
from pathlib import Path

from serving import (
    CLOSE,
    PICTURES,
    TESTS,
    Body,
    Direct,
    Tally,
    about_one_picture,
    check,
    direct_scorer,
    draw,
    free_port,
    query,
    run,
    server,
)

CLIENTS = 16
MOST_SECONDS = 1_200.0
"""For the watcher to end its jobs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=60, help="of the watched folder")
    options = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    from qwen_checkpoints import build_checkpoint

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = build_checkpoint(folder / "checkpoint")
        direct = direct_scorer(checkpoint, draw(folder / "pictures"))
        served = kill_server(folder, checkpoint, direct, options.kills)
        watched = kill_watcher(folder, checkpoint, direct, options.jobs, options.kills)
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"
    print(json.dumps({"name": "serving_kills", "server": served, "watcher": watched, "machine": machine}))


def kill_server(folder: Path, checkpoint: Path, direct: Direct, kills: int) -> Body:
    """SIGKILL under load, started again on the same port: clients that repeat lose nothing."""
    port, numbers, found = free_port(), count(), list[Tally]()
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            found.append(run(f"http://127.0.0.1:{port}", lambda: about_one_picture(next(numbers)), CLIENTS, 5.0))

    loading = threading.Thread(target=load)
    for kill in range(kills + 1):
        with server(folder, checkpoint, port=port) as (_, process):
            if not kill:
                loading.start()
            time.sleep(3 + random.random())
            if kill < kills:
                process.kill()
                process.wait()
            else:
                ended.set()
                loading.join()
    figures = {
        "kills": kills,
        "answers": sum(len(tally.answers) for tally in found),
        "wrong": sum(check(tally, direct) for tally in found),
        "repeated": sum(tally.repeated for tally in found),
        "lost": sum(tally.failed for tally in found),
    }
    print(f"server: {figures} (load {os.getloadavg()[0]:.1f})", flush=True)
    return figures


def kill_watcher(folder: Path, checkpoint: Path, direct: Direct, jobs: int, kills: int) -> Body:
    """SIGKILL while jobs arrive and are scored; afterwards each has one result, whose scores are right."""
    place, results = folder / "in", folder / "out"
    place.mkdir()
    command = [sys.executable, "-m", "kg_pipeline", "watch", "--watch-dir", str(place), "--output-dir", str(results)]
    command += ["--home", str(folder / "home"), "--reranker", "qwen-vl", "--checkpoint", str(checkpoint)]
    command += ["--dtype", "float32", "--device", "cpu", "--poll", "0.1"]
    until, killed, put = time.monotonic() + MOST_SECONDS, 0, 0

    def done() -> int:
        return sum(1 for _ in results.glob("*_result.json"))

    while done() < jobs and time.monotonic() < until:
        # Killed a random moment after its first result; the last one ends in peace.
        enough = jobs if killed == kills else done() + 1
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while done() < enough and time.monotonic() < until and watcher.poll() is None:
            for number in range(put, min(put + 4, jobs)):
                drop(place, number, folder / "pictures")
            put = min(put + 4, jobs)
            time.sleep(0.2)
        if killed < kills:
            time.sleep(random.random() / 2)
            killed += 1
        watcher.kill()
        watcher.wait()
    found = [json.loads(path.read_bytes()) for path in results.glob("*_result.json")]
    names = Counter(path.name.partition("_job-")[2].partition("_")[0] for path in results.glob("*_result.json"))
    figures = {
        "kills": killed,
        "jobs": jobs,
        "results": len(found),
        "wrong": sum(is_wrong(answer, direct) for answer in found),
        "lost": jobs - len(names),
        "twice": sum(times > 1 for times in names.values()),
        "failed": sum(1 for _ in (place / "failed").glob("*")),
    }
    print(f"watcher: {figures} (load {os.getloadavg()[0]:.1f})", flush=True)
    return figures


def drop(place: Path, number: int, pictures: Path) -> None:
    """A job of one picture, named so that its result says which query it was."""
    name = f"{number % PICTURES:02}.png"
    with zipfile.ZipFile(place / f"job-{number}.zip", "w") as archive:
        archive.write(pictures / name, f"{number}-{name}")
    (place / f"job-{number}.txt").write_text(query(number), encoding="utf-8")


def is_wrong(answer: Body, direct: Direct) -> bool:
    """Whether a result is not that of direct scoring."""
    (row,) = answer["results"]
    number, _, name = row["image_path"].partition("-")
    return abs(row["log_odds"] - direct.log_odds(query(int(number)), [name])[0]) > CLOSE


if __name__ == "__main__":
    main()
