"""`kg-pipeline evaluate`, from files to figures."""

import json

import polars as pl
import pytest

from kg_pipeline.evaluation import FILE_NAME
from kg_pipeline.evaluation.history import compare
from kg_pipeline.storage import TableStore


@pytest.fixture
def evaluate(knowledge_base):
    def command(*options: str):
        return knowledge_base.command(
            "evaluate", "--documents", str(knowledge_base.docs), "--collection", "kb", "--no-ocr", *options
        )

    return command


def files(home) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def test_it_prints_the_measures_and_writes_nothing_but_its_own(knowledge_base, evaluate):
    result = evaluate("--protocol", "cold")
    assert result.exit_code == 0, result.output
    assert "recall@50 strict" in result.stdout
    assert "no evaluation of before" in result.stdout
    own = {"tables/evaluation/kb.parquet", "evaluation/kb/0001.parquet", "reports/kb/evaluation.html"}
    assert files(knowledge_base.home) <= own


def test_it_leaves_the_tables_of_a_run_as_they_are(knowledge_base, evaluate):
    assert knowledge_base.run("--no-graph").exit_code == 0
    before = knowledge_base.table_files()
    assert evaluate().exit_code == 0
    after = knowledge_base.table_files()
    assert after.pop("evaluation/kb.parquet")
    assert after == before


def test_json_has_every_protocol_stress_scenario_and_the_baseline(evaluate):
    result = evaluate("--stress", "none", "--stress", "hashed-names,flat-folders", "--scenario", "format", "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["collections"]["kb"]
    assert {row["protocol"] for row in rows} == {"cold", "folds"}
    # --no-ocr is a stress as well: the figures without it are not comparable.
    assert {row["stress"] for row in rows} == {"no-ocr", "hashed-names+flat-folders+no-ocr"}
    assert {row["scenario"] for row in rows} == {"all", "format=markdown"}
    assert len({row["scorer"] for row in rows}) == 2
    named = {(row["stress"], row["metric"], row["k"]): row["value"] for row in rows if row["scorer"] != FILE_NAME}
    assert named["no-ocr", "document", 1] == 1.0
    assert named["hashed-names+flat-folders+no-ocr", "document", 1] < 1.0


def test_the_same_evaluation_gives_the_same_bytes_and_says_so(knowledge_base, evaluate):
    path = TableStore(knowledge_base.home).path("evaluation", "kb")
    evaluate()
    first = path.read_bytes()
    result = evaluate()
    assert path.read_bytes() == first
    assert "as in the evaluation before" in result.stdout
    assert len(list((knowledge_base.home / "evaluation" / "kb").iterdir())) == 1


def test_a_change_is_shown_with_its_size(knowledge_base, evaluate):
    evaluate("--protocol", "cold")
    page = knowledge_base.docs / "assembly.md"
    page.write_text(page.read_text(encoding="utf-8").replace("torque-wrench", "alarm-lamp"), encoding="utf-8")
    result = evaluate("--protocol", "cold")
    assert "changed since the last evaluation" in result.stdout
    assert len(list((knowledge_base.home / "evaluation" / "kb").iterdir())) == 2


def test_only_what_was_measured_the_same_way_is_compared():
    row = {"scenario": "all", "protocol": "cold", "stress": "none", "scorer": "new", "metric": "recall", "k": 1,
           "value": 0.7, "n": 10, "ci_low": 0.6, "ci_high": 0.8}  # fmt: skip
    before = [{**row, "scorer": "old", "value": 0.5}, {**row, "protocol": "folds", "value": 0.1}]
    frame = pl.DataFrame(before).with_columns(baseline=pl.lit(False))
    found = compare(pl.DataFrame([row, {**row, "metric": "mrr", "k": None}]), frame)
    assert found["delta"].to_list() == [0.2, None]
    assert found["scorer_before"].to_list() == ["old", None]
    assert found["beyond_noise"].to_list() == [True, None]


def test_without_a_reference_it_says_that_there_is_nothing_to_measure(knowledge_base, evaluate):
    for page in knowledge_base.docs.glob("*.md"):
        page.write_text("# Nothing\n\nNo picture here.\n", encoding="utf-8")
    result = evaluate()
    assert result.exit_code == 1
    assert "nothing to measure" in result.stderr


@pytest.mark.parametrize("option", ["--protocol", "--stress", "--scenario"])
def test_an_unknown_word_is_refused_with_those_that_exist(evaluate, option):
    result = evaluate(option, "warm")
    assert result.exit_code == 2
    assert "expected one or more of" in result.stderr


def test_several_collections_are_averaged(knowledge_base):
    config = knowledge_base.root / "collections.yaml"
    sections = "".join(
        f"  {name}:\n    documents: [{{root: docs}}]\n    scoring: {{ocr: false}}\n" for name in ("one", "two")
    )
    config.write_text(f"collections:\n{sections}", encoding="utf-8")
    result = knowledge_base.command("evaluate", "--config", str(config), "--protocol", "cold", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    value = {
        name: next(row["value"] for row in rows if row["metric"] == "mrr" and row["scorer"] != FILE_NAME)
        for name, rows in [*found["collections"].items(), ("average", found["average"])]
    }
    assert value["average"] == pytest.approx((value["one"] + value["two"]) / 2)
