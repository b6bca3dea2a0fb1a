"""Labelled queries: every query against every labelled image."""

import json

import polars as pl
import pytest
from small_corpus import image_id, small_corpus

from kg_pipeline.evaluation import EvaluationError, measure_labels, read_labels, score_labels
from kg_pipeline.evidence import score_pairs

IMAGES = {
    "img/alarm-lamp.png": ["ALARM"],
    "img/torque-wrench.png": ["M6 9 Nm"],
    "img/deep/down/cooling-filter.png": [],
    "img/other.png": [],
}
ROWS = [
    ("the red alarm lamp lights", "img/alarm-lamp.png", "faults"),
    ("tighten the M6 bolt with a torque wrench", "torque-wrench.png", "manuals"),
    ("replace the cooling filter", "img/deep/down/cooling-filter.png", "manuals"),
]


@pytest.fixture
def corpus():
    return small_corpus({"a.md": ["# A\nText."]}, IMAGES)


def written(tmp_path, rows, header="query,image,scenario"):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def of_evidence_model(corpus, pairs):
    return score_pairs(pairs)


def test_words_find_their_pictures_wherever_these_lie(tmp_path, corpus):
    labels = read_labels(written(tmp_path, ROWS), corpus.image_files)
    scored = score_labels(corpus, labels, of_evidence_model)
    assert len(scored) == 3 * 3, "every query against every labelled image, and no other"
    table = measure_labels(scored, labels)
    values = {
        (scenario, metric): value for scenario, metric, value in table.select("scenario", "metric", "value").iter_rows()
    }
    assert values["all", "image"] == values["manuals", "image"] == 1.0
    assert values["manuals", "margin_image"] > 0
    assert dict(table.filter(metric="image").select("scenario", "n").iter_rows()) == {
        "all": 3,
        "faults": 1,
        "manuals": 2,
    }


def test_top1_and_margin_by_hand():
    labels = pl.DataFrame(
        {"query": ["q", "q", "r", "s"], "image_id": ["a", "b", "c", "a"], "scenario": ["one", "one", "two", "two"]}
    )
    scored = pl.DataFrame(
        [("q", "a", 3.0, True), ("q", "b", 8.0, True), ("q", "c", 6.0, False),
         ("r", "c", 5.0, True), ("r", "a", 5.0, False), ("r", "b", 1.0, False),
         ("s", "a", None, True), ("s", "b", 2.0, False), ("s", "c", 1.0, False)],
        schema=("query", "image_id", "score", "right"), orient="row",
    ).with_columns(scorer=pl.lit("m"))  # fmt: skip
    table = measure_labels(scored, labels)
    values = {(row["scenario"], row["metric"]): row["value"] for row in table.iter_rows(named=True)}
    assert values["one", "image"] == 1.0
    assert values["one", "margin_image"] == 2.0
    assert values["two", "image"] == 0.0, "a tie and an image without a score are no right answers"
    assert values["two", "margin_image"] == pytest.approx((0.0 - 2.0) / 2)


def test_a_scorer_gets_the_query_as_the_text(tmp_path, corpus):
    labels = read_labels(written(tmp_path, ROWS), corpus.image_files)
    seen = []

    def spy(queries, pairs):
        seen.append((queries.chunks["text"].to_list(), pairs))
        return score_pairs(pairs)

    score_labels(corpus, labels, spy)
    ((texts, pairs),) = seen
    assert sorted(texts) == sorted(query for query, _, _ in ROWS)
    assert set(pairs["image_id"]) == {image_id(path) for path in list(IMAGES)[:3]}


def test_rows_that_name_no_image_are_reported_and_left_out(tmp_path, corpus, caplog):
    path = written(tmp_path, [*ROWS, ("what", "img/gone.png", "x"), ("", "img/other.png", "x")])
    assert len(read_labels(path, corpus.image_files)) == 3
    assert "line 5: img/gone.png" in caplog.text
    with pytest.raises(EvaluationError, match="no row names an image"):
        read_labels(written(tmp_path, [("what", "img/gone.png", "x")]), corpus.image_files)


def test_an_end_of_a_path_counts_only_where_it_is_one_image(tmp_path):
    corpus = small_corpus({"a.md": ["A"]}, {"one/x.png": [], "two/x.png": [], "two/y.png": []})
    rows = [("q", "y.png", ""), ("q", "one/x.png", ""), ("q", "x.png", "")]
    labels = read_labels(written(tmp_path, rows), corpus.image_files)
    assert labels["image_id"].to_list() == [image_id("two/y.png"), image_id("one/x.png")]
    assert set(labels["scenario"]) == {"unnamed"}


def test_a_missing_column_is_named(tmp_path, corpus):
    path = written(tmp_path, [("q", "img/other.png")], header="query,picture")
    with pytest.raises(EvaluationError, match="line 1: the column image, scenario is missing"):
        read_labels(path, corpus.image_files)
    with pytest.raises(EvaluationError, match="cannot read"):
        read_labels(tmp_path / "gone.csv", corpus.image_files)


def test_the_command_prints_the_table_of_the_article(knowledge_base):
    rows = [
        ("the red alarm lamp lights", "alarm-lamp.png", "faults"),
        ("turn the torque wrench", "torque-wrench.png", "manuals"),
    ]
    options = ("evaluate", "--documents", str(knowledge_base.docs), "--collection", "kb", "--no-ocr")
    labels = ("--labels", str(written(knowledge_base.root, rows)))
    result = knowledge_base.command(*options, *labels)
    assert result.exit_code == 0, result.output
    assert "Top-1 image" in result.stdout
    assert "faults" in result.stdout
    assert "not its" in result.stdout, "it says that nothing looked at the pixels"
    found = json.loads(knowledge_base.command(*options, *labels, "--json").stdout)["collections"]["kb"]
    assert {row["protocol"] for row in found} == {"labels"}
    assert {row["delta"] for row in found} == {0.0}
