"""`kg-pipeline score`: files and texts in, JSON out, nothing kept."""

import json

import pytest
from typer.testing import CliRunner

from kg_pipeline.cli import app
from kg_pipeline.reranking import qwen_vl, reasons

TEXTS = ["red alarm lamp", "机柜右后方的报警灯"]


@pytest.fixture
def score(checkpoint, picture, tmp_path, monkeypatch):
    """Runs the command on two pictures and one file that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KG_PIPELINE_HOME", str(tmp_path / "home"))
    picture(90, 60).save("a.png")
    picture(60, 90).save("b.png")
    (tmp_path / "c.png").write_text("no picture")
    fixed = ["--reranker", "qwen-vl", "--checkpoint", str(checkpoint("qwen2_5_vl")), "--dtype", "float32"]

    def run(*images, options=(), texts=TEXTS):
        asked = [part for image in images for part in ("--image", image)]
        asked += [part for text in texts for part in ("--text", text)]
        return CliRunner().invoke(app, ["score", *fixed, "--device", "cpu", *asked, *options])

    return run


def test_every_image_with_every_text_as_given(score, loop, picture, tmp_path):
    result = score("a.png", "./b.png", options=["--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [(row["image"], row["text"]) for row in found["results"]] == [
        (image, text) for image in ("a.png", "./b.png") for text in TEXTS
    ]
    assert set(found["results"][0]) == {"image", "text", "log_odds", "score", "rank", "margin"}
    assert found["scorer"].startswith("qwen-vl/")
    expected = [loop("qwen2_5_vl").log_odds(picture(90, 60), text) for text in TEXTS]
    assert [row["log_odds"] for row in found["results"][:2]] == pytest.approx(expected, abs=1e-4)
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / ".kg-pipeline").exists()


@pytest.mark.parametrize(("direction", "shared"), [("image-to-text", "image"), ("text-to-image", "text")])
def test_rank_and_margin_are_among_the_pairs_of_one_query(score, direction, shared):
    result = score("a.png", "b.png", options=["--json", "--direction", direction])
    rows = json.loads(result.stdout)["results"]
    for query in {row[shared] for row in rows}:
        first, second = sorted((row for row in rows if row[shared] == query), key=lambda row: row["rank"])
        assert (first["rank"], second["rank"]) == (1, 2)
        assert first["log_odds"] >= second["log_odds"]
        assert first["margin"] == pytest.approx(first["log_odds"] - second["log_odds"])
        assert second["margin"] == pytest.approx(-first["margin"])


def test_a_file_that_is_no_picture_has_an_error_and_the_others_their_scores(score):
    result = score("a.png", "c.png", options=["--json"])
    assert result.exit_code == 0
    rows = json.loads(result.stdout)["results"]
    assert [row["log_odds"] is None for row in rows] == [False, False, True, True]
    assert "cannot be read" in rows[2]["error"]
    assert score("c.png", "d.png", options=["--json"]).exit_code == 1


def test_an_instruction_changes_score_and_scorer(score):
    plain = json.loads(score("a.png", options=["--json"]).stdout)
    told = json.loads(score("a.png", options=["--json", "--instruction", "Find the spare part."]).stdout)
    assert plain["scorer"] != told["scorer"]
    assert plain["results"][0]["log_odds"] != told["results"][0]["log_odds"]


def test_explaining_changes_no_score(score, monkeypatch):
    monkeypatch.setattr(qwen_vl, "REASON_TOKENS", 4)
    plain = json.loads(score("a.png", options=["--json"]).stdout)
    explained = json.loads(score("a.png", options=["--json", "--explain"]).stdout)
    assert [row["log_odds"] for row in explained["results"]] == [row["log_odds"] for row in plain["results"]]
    assert all(isinstance(row["reason"], str) for row in explained["results"])
    assert explained["reasons_parsed"] == 0  # random weights write no sentence


def test_a_generated_reason_is_that_of_the_model_itself(engine, loop, picture, png, monkeypatch):
    import torch

    monkeypatch.setattr(qwen_vl, "REASON_TOKENS", 12)
    image, reranker, plain = picture(90, 60), engine(), loop("qwen2_5_vl")
    question = reasons.question(TEXTS[0])
    content = [{"type": "image", "image": image}, {"type": "text", "text": f"{question}\n\n{TEXTS[0]}"}]
    prompt = plain.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = plain.processor(
        text=[prompt], images=[image], images_kwargs={"size": {"shortest_edge": 3136, "longest_edge": 1003520}},
        return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        written = plain.model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    expected = plain.processor.tokenizer.decode(written, skip_special_tokens=True).strip()
    assert reranker.explain(png(image), TEXTS[0]).text == expected


def test_the_command_without_json_is_a_table(score):
    result = score("a.png")
    assert result.exit_code == 0
    assert "red alarm lamp" in result.output


def test_a_checkpoint_that_is_not_there_is_one_line(tmp_path):
    result = CliRunner().invoke(app, ["score", "--image", "a.png", "--text", "x", "--checkpoint", str(tmp_path / "no")])
    assert result.exit_code == 1
    assert "no such folder" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "why", "number"),
    [
        ("Score: 7.5 — The lamp is lit.", "The lamp is lit.", 7.5),
        ("Score: 10/10 - 报警灯亮着。", "报警灯亮着。", 10.0),
        ("score 7", None, None),
        ("Score: 7.5", None, None),
        ("", None, None),
    ],
)
def test_the_form_of_a_reason(text, why, number):
    assert (reasons.parse(text).why, reasons.parse(text).said_score) == (why, number)


def test_the_question_is_asked_in_the_language_of_the_text():
    assert "picture" in reasons.question("The lamp")
    assert "图片" in reasons.question("机柜右后方的 LED 报警灯")
