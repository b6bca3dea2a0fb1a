"""Whole runs with a model that looks at the pictures, on the CPU, with random weights."""

import polars as pl
import pytest

from kg_pipeline.reranking import qwen_vl, scoring
from kg_pipeline.reranking.model import QwenVLModel


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    from qwen_checkpoints import build_checkpoint

    return build_checkpoint(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def run(knowledge_base, weights):
    options = ["--reranker", "qwen-vl", "--checkpoint", str(weights), "--dtype", "float32", "--device", "cpu"]

    def started(*more):
        return knowledge_base.run("--no-graph", *options, *more)

    return started


def test_a_run_scores_every_pair_by_the_model_and_a_second_one_asks_nothing(run, knowledge_base):
    result = run()
    assert result.exit_code == 0, result.output
    first = knowledge_base.last_run()["scoring"]
    scores = knowledge_base.table("pair_scores")
    assert first["model_calls"] > 0
    assert first["scorer"].startswith("qwen-vl/")
    assert scores["scorer"].unique().to_list() == [first["scorer"]]
    assert scores["log_odds"].null_count() == 0
    evidence = knowledge_base.table("visual_evidence").filter(text_kind="chunk")
    assert set(evidence["scorer"].drop_nulls()) == {first["scorer"]}
    assert run().exit_code == 0
    second = knowledge_base.last_run()["scoring"]
    assert (second["model_calls"], second["ledger_hits"]) == (0, first["model_calls"])
    assert knowledge_base.table("pair_scores").equals(scores)


def test_a_run_that_died_while_scoring_goes_on_where_it_stopped(run, knowledge_base, monkeypatch):
    monkeypatch.setattr(scoring, "LEDGER_BATCH_PAIRS", 1)
    scored, dies = [], True
    score = QwenVLModel.score

    def counting(model, row, features, budget):
        if dies and scored:
            raise KeyboardInterrupt
        scored.append(sum(len(tree.branches) for tree in row.trees))
        return score(model, row, features, budget)

    monkeypatch.setattr(QwenVLModel, "score", counting)
    run("--token-budget", "512")  # a row for every image
    dies = False
    result = run()
    assert result.exit_code == 0, result.output
    last = knowledge_base.last_run()["scoring"]
    assert last["ledger_hits"] > 0
    assert last["model_calls"] > 0
    assert sum(scored) == last["ledger_hits"] + last["model_calls"]


def test_auto_does_not_go_back_to_the_evidence_model_unasked(run, knowledge_base):
    assert run().exit_code == 0
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 1
    assert "--allow-scorer-change" in result.output
    assert knowledge_base.run("--no-graph", "--allow-scorer-change").exit_code == 0
    assert knowledge_base.last_run()["scoring"]["scorer"] == "evidence-model/5"


def test_reasons_for_edges_are_written_once_and_change_no_score(run, knowledge_base, monkeypatch):
    monkeypatch.setattr(qwen_vl, "REASON_TOKENS", 3)
    asked, write = [], QwenVLModel.write
    monkeypatch.setattr(QwenVLModel, "write", lambda *arguments: asked.append(1) or write(*arguments))
    assert run().exit_code == 0
    scores, kept = knowledge_base.table("pair_scores"), knowledge_base.table("visual_evidence")
    assert knowledge_base.table("edge_reasons").is_empty()
    result = run("--explain-edges", "2")
    assert result.exit_code == 0, result.output
    reasons = knowledge_base.table("edge_reasons").filter(pl.col("text_kind") != "document")
    assert len(asked) == len(reasons) == 2
    assert reasons["scorer"].unique().to_list() == scores["scorer"].unique().to_list()
    assert knowledge_base.table("pair_scores").equals(scores)
    assert knowledge_base.table("visual_evidence").equals(kept)
    assert run("--explain-edges", "2").exit_code == 0
    assert len(asked) == 2
