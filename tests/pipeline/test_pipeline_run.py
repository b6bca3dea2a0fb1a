"""Whole runs without a graph: what they find, what the same run again does, what an edit changes."""

import json

import polars as pl

from kg_pipeline.config import load_collections


def test_a_run_says_what_was_read_and_writes_every_table(knowledge_base):
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 0, result.output
    assert "2 read" in result.output
    assert "gallery" in result.output
    last = knowledge_base.last_run()
    assert last["status"] == "success"
    assert last["counts"]["documents"] == 2
    assert last["statuses"]["references"] == {"missing": 1, "ok": 3}
    assert last["orphans"] == {"unreferenced_matched": 1}
    assert last["scoring"]["model_calls"] == 0
    assert last["graph"] is None


def test_the_picture_that_no_document_shows_is_suggested_for_the_passage_that_wants_it(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    [orphan] = knowledge_base.table("orphan_images").to_dicts()
    assert orphan["path"] == "img/torque-wrench-click.png"
    assert orphan["best_document_path"] == "assembly.md"
    chunks = knowledge_base.table("chunks")
    passage = chunks.filter(chunk_id=orphan["best_chunk_id"])["text"].item()
    assert "torque wrench" in passage


def test_the_same_run_again_gives_the_same_bytes(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    first = knowledge_base.table_files()
    assert knowledge_base.run("--no-graph").exit_code == 0
    assert knowledge_base.table_files() == first
    assert len(first) >= 13


def test_another_home_gives_the_same_tables(knowledge_base, tmp_path):
    assert knowledge_base.run("--no-graph").exit_code == 0
    other = tmp_path / "other"
    assert knowledge_base.run("--no-graph", home=other).exit_code == 0
    assert knowledge_base.table_files(other) == knowledge_base.table_files()


def test_a_paragraph_at_the_top_changes_no_other_chunk(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    before = set(knowledge_base.table("chunks")["chunk_id"])
    document = knowledge_base.docs / "server-room.md"
    document.write_text("# News\n\nThe room moved.\n\n" + document.read_text(encoding="utf-8"), encoding="utf-8")
    assert knowledge_base.run("--no-graph").exit_code == 0
    assert before <= set(knowledge_base.table("chunks")["chunk_id"])


def test_hidden_references_reach_no_score_and_are_not_synced(knowledge_base, tmp_path):
    hide = tmp_path / "hide.csv"
    hide.write_text("document,image\nserver-room.md,img/alarm-lamp.png\n", encoding="utf-8")
    assert knowledge_base.run("--no-graph").exit_code == 0
    shown = knowledge_base.table("pair_scores")
    hidden_home = tmp_path / "hidden"
    result = knowledge_base.run("--hide-references", str(hide), home=hidden_home)
    assert result.exit_code == 0, result.output
    assert knowledge_base.last_run(hidden_home)["graph"] is None
    references = knowledge_base.table("references", hidden_home).filter(status="hidden").to_dicts()
    assert [(row["image_path"], row["alt"]) for row in references] == [("img/alarm-lamp.png", None)]
    alarm = knowledge_base.table("image_files").filter(path="img/alarm-lamp.png")["image_id"].item()
    hidden = knowledge_base.table("pair_scores", hidden_home)
    for scores in (shown, hidden):
        assert scores.filter(image_id=alarm).height > 0
    columns = ["text_id", "log_odds"]
    # The evidence for an image never uses its own references: hiding them changes none of its scores.
    both = shown.filter(image_id=alarm).select(columns).join(hidden.filter(image_id=alarm), on="text_id")
    assert both.filter(pl.col("log_odds") != pl.col("log_odds_right")).is_empty()
    assert "img/alarm-lamp.png" in set(knowledge_base.table("orphan_images", hidden_home)["path"])


def test_tables_prints_nothing_but_json_on_standard_output(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    result = knowledge_base.command("tables", "chunks", "--collection", "kb", "--format", "json")
    rows = json.loads(result.stdout)
    assert rows[0]["page"] is None
    assert list(rows[0]) == list(knowledge_base.table("chunks").columns)
    empty = knowledge_base.command("tables", "verdicts", "--collection", "kb", "--format", "json")
    assert json.loads(empty.stdout) == []


def test_every_format_of_every_table_can_be_printed(knowledge_base):
    assert knowledge_base.run("--no-graph").exit_code == 0
    for name in json.loads(json.dumps(list(knowledge_base.last_run()["counts"]))):
        for form in ("table", "csv"):
            result = knowledge_base.command("tables", name, "--collection", "kb", "--format", form)
            assert result.exit_code == 0, (name, form, result.output)


def test_a_table_or_collection_that_is_not_there_is_named(knowledge_base):
    result = knowledge_base.command("tables", "chunks", "--collection", "nobody")
    assert result.exit_code == 1
    assert "'nobody'" in result.stderr
    result = knowledge_base.command("tables", "pictures", "--collection", "kb")
    assert "there is no table 'pictures'" in result.stderr


def test_wrong_options_are_refused_before_anything_runs(knowledge_base):
    assert "PREFIX=DIR" in knowledge_base.run("--site-root", "/docs").stderr
    assert knowledge_base.run("--site-root", "/docs").exit_code == 2
    assert "letters, digits" in knowledge_base.run("--collection", "../x").stderr
    assert knowledge_base.command("run").exit_code == 2
    result = knowledge_base.run("--reranker", "qwen-vl", "--no-graph")
    assert result.exit_code == 1
    assert "needs weights: --checkpoint DIR" in result.output


def test_a_run_of_a_configuration_runs_each_collection(knowledge_base, tmp_path):
    config = tmp_path / "collections.yaml"
    config.write_text(
        "collections:\n  a: {documents: [{root: docs}], scoring: {ocr: false}}\n"
        "  b: {documents: [{root: docs, include: ['server*']}], scoring: {ocr: false}}\n",
        encoding="utf-8",
    )
    result = knowledge_base.command("run", "--config", str(config), "--no-graph")
    assert result.exit_code == 0, result.output
    result = knowledge_base.command("tables", "documents", "--collection", "b", "--format", "json")
    assert [row["path"] for row in json.loads(result.stdout)] == ["server-room.md"]


def test_a_mistake_in_the_configuration_names_file_line_and_key(knowledge_base, tmp_path):
    config = tmp_path / "collections.yaml"
    config.write_text("collections:\n  a:\n    documents: [{root: docs}]\n    keep: {max_rank: 1}\n", encoding="utf-8")
    result = knowledge_base.command("run", "--config", str(config))
    assert result.exit_code == 2
    assert "collections.yaml, line 4: collections.a.keep: unknown key; allowed here: concepts" in result.stderr


def test_what_is_registered_for_the_ui_is_what_was_asked_but_for_what_held_for_one_run(knowledge_base, tmp_path):
    hide = tmp_path / "hide.csv"
    hide.write_text("document,image\nserver-room.md,img/alarm-lamp.png\n", encoding="utf-8")
    assert knowledge_base.run("--hide-references", str(hide)).exit_code == 0
    registered = load_collections(knowledge_base.home / "collections" / "kb.yaml")["kb"]
    assert registered.scoring.ocr is False
    assert registered.hide_references is None
