"""A whole run whose reranker is a server of its own: the same scores as with the checkpoint in the run itself."""

import subprocess
import sys
import time

import polars as pl
import pytest
import urllib3
from graph_servers import free_port
from qwen_checkpoints import build_checkpoint

TOKEN = "a-token-of-32-characters-0123456"
KEYS = ["image_id", "text_kind", "text_id"]


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return build_checkpoint(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def serve(tmp_path, weights, monkeypatch):
    """Starts `kg-pipeline serve` with the tiny checkpoint; the address, and the process."""
    monkeypatch.setenv("KG_PIPELINE_API_TOKEN", TOKEN)
    started = []

    def begin(port: int) -> tuple[str, subprocess.Popen]:
        options = ["--reranker", "qwen-vl", "--checkpoint", str(weights), "--dtype", "float32", "--device", "cpu"]
        command = [
            sys.executable,
            "-m",
            "kg_pipeline",
            "serve",
            "--port",
            str(port),
            "--home",
            str(tmp_path / "serving"),
        ]
        with (tmp_path / "serve.log").open("ab") as log:
            process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        started.append(process)
        address, until = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            try:
                if urllib3.request("GET", f"{address}/api/health", retries=False).status == 200:
                    return address, process
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise AssertionError((tmp_path / "serve.log").read_text())

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_a_run_with_a_remote_reranker_equals_one_with_the_checkpoint(
    serve, knowledge_base, weights, tmp_path, monkeypatch
):
    address, process = serve(free_port())
    monkeypatch.setenv("KG_PIPELINE_RERANKER_API_KEY", TOKEN)
    remote = ["--no-graph", "--reranker", "remote", "--reranker-url", address]
    local = [
        "--no-graph",
        "--reranker",
        "qwen-vl",
        "--checkpoint",
        str(weights),
        "--dtype",
        "float32",
        "--device",
        "cpu",
    ]
    here = tmp_path / "here"
    assert knowledge_base.run(*local, home=here).exit_code == 0
    result = knowledge_base.run(*remote)
    assert result.exit_code == 0, result.output
    mine, theirs = knowledge_base.table("pair_scores", here), knowledge_base.table("pair_scores")
    assert theirs["scorer"].unique().to_list() == mine["scorer"].unique().to_list()
    both = mine.join(theirs, on=KEYS, suffix="_remote", validate="1:1")
    assert len(both) == len(mine) == len(theirs) > 0
    assert both.select((pl.col("log_odds") - pl.col("log_odds_remote")).abs().max()).item() < 1e-4
    kept = [
        knowledge_base.table("visual_evidence", home).filter("kept").sort(KEYS).select(KEYS) for home in (here, None)
    ]
    assert kept[0].equals(kept[1])
    # The ledger knows the scores, wherever they were made; the server is only asked who it is.
    assert knowledge_base.run(*local).exit_code == 0
    assert knowledge_base.last_run()["scoring"]["model_calls"] == 0
    # The token is nowhere on disk.
    for file in (path for folder in (knowledge_base.home, here) for path in folder.rglob("*") if path.is_file()):
        assert TOKEN.encode() not in file.read_bytes(), file
    process.kill()
    process.wait()
    gone = knowledge_base.run(*remote)
    assert gone.exit_code == 1
    assert "no reranker server answers at" in gone.output
