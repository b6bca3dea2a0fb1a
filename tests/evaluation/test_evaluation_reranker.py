"""`kg-pipeline evaluate` with a model that looks at the pictures: random weights, on the CPU."""

import json

import polars as pl
from qwen_checkpoints import build_checkpoint

from kg_pipeline.evaluation.parts import RERANKER, WORDS


def test_the_reranker_orders_and_the_page_says_what_each_part_adds(knowledge_base, tmp_path):
    weights = build_checkpoint(tmp_path / "weights")
    model = ["--reranker", "qwen-vl", "--checkpoint", str(weights), "--device", "cpu", "--no-ocr", "--json"]
    docs = ["--documents", str(knowledge_base.docs), "--collection", "kb"]
    result = knowledge_base.command("evaluate", *docs, *model, "--protocol", "cold")
    assert result.exit_code == 0, result.output
    rows = pl.DataFrame(json.loads(result.stdout)["collections"]["kb"], infer_schema_length=None)
    assert any(scorer.startswith("qwen-vl/") for scorer in rows["scorer"])
    assert rows.filter(metric="recall", k=50)["value"].to_list() == [1.0, 1.0]
    page = (knowledge_base.home / "reports" / "kb" / "evaluation.html").read_text("utf-8")
    assert "What each part adds" in page
    assert f"<td>{WORDS}</td>" in page
    assert f"<td>{RERANKER}</td>" in page
    # Nothing is fitted on three pictures, so there is nothing fused.
    assert "both, fitted" not in page
