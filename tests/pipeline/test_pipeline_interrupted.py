"""Runs that were killed, and sources that were away: the next run brings what one clean run gives, nothing is lost."""

import subprocess
import sys
import time

import pytest
from graph_content import content
from knowledge_base import KnowledgeBase


@pytest.fixture
def server(graph_server, monkeypatch):
    graph_server.select(monkeypatch)
    graph_server.wipe()
    return graph_server


def start(knowledge_base: KnowledgeBase) -> subprocess.Popen:
    options = ["run", "--documents", str(knowledge_base.docs), "--collection", "kb", "--no-ocr"]
    command = [sys.executable, "-m", "kg_pipeline", *options, "--home", str(knowledge_base.home)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_a_run_killed_anywhere_is_made_good_by_the_next(knowledge_base, server, tmp_path):
    started = time.monotonic()
    assert start(knowledge_base).wait() == 0
    seconds = time.monotonic() - started
    (knowledge_base.docs / "assembly.md").write_text("# Assembly line\n\n## Step 8\n\nPaint the bolt grey.\n")
    for share in (0.5, 0.7, 0.8, 0.9):
        process = start(knowledge_base)
        time.sleep(seconds * share)
        process.kill()
        process.wait()
    assert knowledge_base.run().exit_code == 0
    after_kills = content(server)
    server.wipe()
    assert knowledge_base.run(home=tmp_path / "clean").exit_code == 0
    assert content(server) == after_kills


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_a_root_that_is_away_deletes_nothing_and_what_is_gone_for_good_is_deleted_later(knowledge_base, server):
    assert knowledge_base.run().exit_code == 0
    before = content(server)
    away = knowledge_base.docs.rename(knowledge_base.root / "away")
    result = knowledge_base.run()
    assert result.exit_code == 0, result.output
    assert content(server) == before
    assert "docs" in knowledge_base.last_run()["graph"]["deletes_blocked"]
    away.rename(knowledge_base.docs)
    (knowledge_base.docs / "assembly.md").unlink()
    assert knowledge_base.run().exit_code == 0
    last = knowledge_base.last_run()["graph"]
    assert last["deletes_blocked"] is None
    assert last["deleted"]["Document"] == 1
    assert last["counts"]["Document"] == 1


@pytest.mark.parametrize("graph_server", ["neo4j"], indirect=True)
def test_emptying_a_collection_needs_to_be_allowed(knowledge_base, server):
    for number in range(30):
        (knowledge_base.docs / f"page{number}.md").write_text(f"# Page {number}\n\nOnly words, {number} of them.\n")
    assert knowledge_base.run().exit_code == 0
    before = content(server)
    for number in range(30):
        (knowledge_base.docs / f"page{number}.md").unlink()
    result = knowledge_base.run()
    assert result.exit_code == 1
    assert "--allow-mass-delete" in result.output
    assert content(server) == before
    assert knowledge_base.run("--allow-mass-delete").exit_code == 0
    assert knowledge_base.last_run()["graph"]["counts"]["Document"] == 2
