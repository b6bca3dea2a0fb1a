import json
import threading

import polars as pl
import pytest

from kg_pipeline.storage import TableStore
from kg_pipeline.tables import TABLES


@pytest.fixture
def reviewed(knowledge_base):
    """A knowledge base after a run without a graph."""
    result = knowledge_base.run("--no-graph")
    assert result.exit_code == 0, result.output
    return knowledge_base


def passage(knowledge_base, word):
    [chunk] = knowledge_base.table("chunks").filter(pl.col("text").str.contains(word))["chunk_id"].to_list()
    return chunk


def review(knowledge_base, action, image, text, *options):
    arguments = ["review", action, "--collection", "kb", "--image", str(image), "--text", text, *options]
    return knowledge_base.command(*arguments)


def listed(knowledge_base):
    result = knowledge_base.command("review", "list", "--collection", "kb", "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def evidence(knowledge_base, image_id, text_id):
    rows = knowledge_base.table("visual_evidence")
    return rows.filter(pl.col("image_id") == image_id, pl.col("text_id") == text_id).to_dicts()


def test_a_verdict_lands_in_the_table_at_once_and_a_later_one_takes_its_place(reviewed):
    chunk = passage(reviewed, "cold air")
    result = review(reviewed, "accept", "img/alarm-lamp.png", chunk, "--by", "Ann")
    assert result.exit_code == 0, result.output
    [row] = listed(reviewed)
    assert (row["verdict"], row["image"], row["text_id"], row["by"]) == ("accepted", "img/alarm-lamp.png", chunk, "Ann")
    assert row["document"] == "server-room.md"
    result = review(reviewed, "reject", "img/alarm-lamp.png", chunk, "--by", "Bob")
    assert "before: accepted by Ann" in result.output
    assert [(row["verdict"], row["by"]) for row in listed(reviewed)] == [("rejected", "Bob")]
    assert review(reviewed, "clear", "img/alarm-lamp.png", chunk).exit_code == 0
    assert listed(reviewed) == []
    result = review(reviewed, "clear", "img/alarm-lamp.png", chunk)
    assert result.exit_code == 1
    assert "nobody has judged" in result.output


def test_without_a_name_it_is_the_login_name(reviewed, monkeypatch):
    monkeypatch.setenv("LOGNAME", "zoe")
    review(reviewed, "accept", "img/alarm-lamp.png", passage(reviewed, "cold air"))
    assert listed(reviewed)[0]["by"] == "zoe"


def test_an_image_is_named_by_its_path_its_id_its_file_or_a_copy_of_it(reviewed, monkeypatch):
    chunk, file = passage(reviewed, "cold air"), reviewed.docs / "img" / "alarm-lamp.png"
    [image_id] = reviewed.table("image_files").filter(path="img/alarm-lamp.png")["image_id"].to_list()
    copy = reviewed.root / "copy.png"
    copy.write_bytes(file.read_bytes())
    (reviewed.root / "link").symlink_to(reviewed.docs)
    monkeypatch.chdir(reviewed.docs / "img")
    named = ("img/alarm-lamp.png", image_id, file, copy, reviewed.root / "link/img/alarm-lamp.png", "alarm-lamp.png")
    for image in named:
        result = review(reviewed, "accept", image, chunk)
        assert result.exit_code == 0, result.output
        assert [row["image"] for row in listed(reviewed)] == ["img/alarm-lamp.png"]


def test_what_does_not_exist_is_named_with_what_may_be_meant(reviewed):
    chunk = passage(reviewed, "cold air")
    result = review(reviewed, "accept", "alarm-lamp.png", chunk)
    assert result.exit_code == 1
    assert "did you mean img/alarm-lamp.png?" in result.output
    result = review(reviewed, "accept", "img/alarm-lamb.png", chunk)
    assert "img/alarm-lamp.png" in result.output
    result = review(reviewed, "accept", "img/alarm-lamp.png", chunk[:12])
    assert result.exit_code == 1
    assert chunk in result.output
    result = review(reviewed, "accept", "img/alarm-lamp.png", "server-room.md")
    assert "is a document" in result.output
    assert chunk in result.output
    assert listed(reviewed) == []


def test_a_collection_that_was_never_run_is_named(knowledge_base):
    result = knowledge_base.command("review", "list", "--collection", "kb")
    assert result.exit_code == 1
    assert "kg-pipeline run" in str(result.exception or result.output)


def test_an_unreadable_picture_cannot_be_judged(reviewed):
    (reviewed.docs / "img" / "broken.png").write_bytes(b"no picture")
    reviewed.run("--no-graph")
    result = review(reviewed, "accept", "img/broken.png", passage(reviewed, "cold air"))
    assert result.exit_code == 1
    assert "could not be read" in result.output


def test_accepted_pairs_are_kept_and_rejected_ones_are_not_whatever_happens_to_their_files(reviewed):
    cooling, alarm = passage(reviewed, "cold air"), passage(reviewed, "red alarm lamp")
    review(reviewed, "accept", "img/torque-wrench.png", cooling)
    review(reviewed, "reject", "img/alarm-lamp.png", alarm)
    lamp, wrench = (
        reviewed.table("image_files").filter(path=f"img/{name}.png")["image_id"].item()
        for name in ("alarm-lamp", "torque-wrench")
    )

    def check(verdicts):
        result = reviewed.run("--no-graph")
        assert result.exit_code == 0, result.output
        assert reviewed.last_run()["verdicts"] == verdicts
        chunks = [passage(reviewed, "cold air"), passage(reviewed, "red alarm lamp")]
        kept = [evidence(reviewed, image, chunk) for image, chunk in zip((wrench, lamp), chunks, strict=True)]
        assert [[row["kept"] for row in rows] for rows in kept] == [[True], [False]]

    both = {"accepted": 1, "rejected": 1, "not_applicable": 0}
    check(both)
    document = reviewed.docs / "server-room.md"
    document.write_text("# News\n\nSomething else on top.\n\n" + document.read_text(encoding="utf-8"), encoding="utf-8")
    check(both)
    (reviewed.docs / "img" / "torque-wrench.png").rename(reviewed.docs / "img" / "x1.png")
    check(both)
    (reviewed.docs / "rooms").mkdir()
    document.rename(reviewed.docs / "rooms" / "room.md")
    check(both)
    assert {row["document"] for row in listed(reviewed)} == {"rooms/room.md"}


def test_a_verdict_whose_text_is_gone_is_counted_and_shown_as_such(reviewed):
    review(reviewed, "accept", "img/torque-wrench.png", passage(reviewed, "cold air"))
    document = reviewed.docs / "server-room.md"
    document.write_text(document.read_text(encoding="utf-8").replace("cold air", "warm air"), encoding="utf-8")
    result = reviewed.run("--no-graph")
    assert "1 not applicable any more" in result.output
    assert reviewed.last_run()["verdicts"] == {"accepted": 0, "rejected": 0, "not_applicable": 1}
    assert [row["text_id"] for row in listed(reviewed)] == [None]


def test_verdicts_given_at_the_same_time_are_all_kept(tmp_path):
    def add(number):
        row = {"image_id": f"{number:02}", "text_kind": "chunk", "document_id": "d", "text_sha256": "t"}
        store = TableStore(tmp_path)
        store.update(
            "verdicts", "kb", lambda known: pl.concat([known, TABLES["verdicts"].rows([row | {"verdict": "accepted"}])])
        )

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TableStore(tmp_path).read("verdicts", "kb").height == 16
    assert TableStore(tmp_path).collections("verdicts") == ["kb"]
