"""Whole runs into a graph: what is written, what an unchanged or edited collection costs, a server that is away."""

import json

import pytest
from graph_content import content


@pytest.fixture
def server(graph_server, monkeypatch):
    """The server that runs write to, through the environment as a user sets it; empty."""
    graph_server.select(monkeypatch)
    graph_server.wipe()
    return graph_server


def test_a_second_run_writes_nothing_and_an_edit_only_what_changed(knowledge_base, server):
    result = knowledge_base.run()
    assert result.exit_code == 0, result.output
    first = knowledge_base.last_run()["graph"]
    assert first["nodes"] > 0
    assert first["relationships"] > 0
    assert first["writes"] > 0

    assert knowledge_base.run().exit_code == 0
    second = knowledge_base.last_run()
    assert second["graph"]["writes"] == 0
    assert second["scoring"]["model_calls"] == 0
    assert (second["graph"]["nodes"], second["graph"]["relationships"]) == (first["nodes"], first["relationships"])

    document = knowledge_base.docs / "server-room.md"
    document.write_text(document.read_text(encoding="utf-8").replace("every month", "every week"), encoding="utf-8")
    assert knowledge_base.run().exit_code == 0
    third = knowledge_base.last_run()["graph"]
    assert 0 < third["writes"] < first["writes"]


def test_after_an_edit_the_graph_equals_that_of_a_fresh_run(knowledge_base, server, tmp_path):
    assert knowledge_base.run().exit_code == 0
    (knowledge_base.docs / "assembly.md").write_text("# Assembly line\n\n## Step 8\n\nPaint the bolt.\n")
    (knowledge_base.docs / "new.md").write_text("# New\n\n![again](img/torque-wrench.png)\n")
    result = knowledge_base.run()
    assert result.exit_code == 0, result.output
    edited = content(server)
    server.wipe()
    assert knowledge_base.run(home=tmp_path / "fresh").exit_code == 0
    assert content(server) == edited


def test_a_server_that_is_away_is_named_and_the_tables_stay(knowledge_base, monkeypatch):
    assert knowledge_base.run("--no-graph").exit_code == 0
    before = knowledge_base.table_files()
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    monkeypatch.setenv("NEO4J_PASSWORD", "secret-of-the-test")
    result = knowledge_base.run()
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.output
    assert "secret-of-the-test" not in result.output + json.dumps(knowledge_base.last_run())
    assert knowledge_base.last_run()["status"] == "failure"
    assert knowledge_base.table_files() == before
