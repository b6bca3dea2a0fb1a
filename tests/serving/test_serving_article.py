"""The founding article's example, end to end: the same scores from the API, the watched folder, and after `kill -9`."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

QUERY = "服务器机柜内红色报警灯亮起"
PICTURES = Path(__file__).parents[2] / "examples" / "docs" / "server-room" / "images"
NAMES = ("rack_001.png", "rack_002.png", "rack_003.png")


@pytest.fixture
def watch(tmp_path, tiny_checkpoint):
    """Starts `kg-pipeline watch` with the tiny checkpoint as a process of its own."""
    started = []
    options = ["--reranker", "qwen-vl", "--checkpoint", str(tiny_checkpoint), "--dtype", "float32", "--device", "cpu"]
    places = [
        "--watch-dir",
        str(tmp_path / "in"),
        "--output-dir",
        str(tmp_path / "out"),
        "--home",
        str(tmp_path / "home"),
    ]

    def begin(*more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "kg_pipeline", "watch", *places, *options, "--poll", "0.1", *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def job(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        for picture in NAMES:
            archive.write(PICTURES / picture, picture)
    (folder / f"{name}.txt").write_text(QUERY, encoding="utf-8")


def results(folder: Path) -> dict[str, list[dict]]:
    found = {}
    for path in sorted(folder.glob("*_result.json")):
        name = path.name.split("Z_")[1].removesuffix("_result.json")
        assert name not in found
        found[name] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return found


def test_api_and_watched_folder_give_the_same_scores_also_after_a_kill(server, watch, tmp_path):
    images = [{"name": name, "data": base64.b64encode((PICTURES / name).read_bytes()).decode()} for name in NAMES]
    answer = server.post("/api/rerank", {"query": QUERY, "images": images}).json()
    assert {each["image_path"] for each in answer["results"]} == set(NAMES)
    assert len({each["score"] for each in answer["results"]}) == 3
    for number in range(4):
        job(tmp_path / "in", f"job{number}")
    process = watch()
    until = time.monotonic() + 400
    while len(results(tmp_path / "out")) < 1:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process = watch()
    while len(results(tmp_path / "out")) < 4 or any((tmp_path / "in" / "working").iterdir()):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=30)
    assert process.returncode == 0, log
    assert QUERY not in log
    found = results(tmp_path / "out")
    assert len(found) == 4
    for scored in found.values():
        assert scored == answer["results"]
    assert len(list((tmp_path / "in" / "done").iterdir())) == 4
