"""Whole runs of a collection whose pictures are described: photos that nothing else finds, and what stays as it was."""

import pytest
import yaml
from description_server import COLOURS, description_server
from PIL import Image, ImageFilter

from kg_pipeline import model_server

FORKLIFT = """# Warehouse

## Charging the forklift

Drive the orange forklift to the charging point and lower its forks to the ground before you plug the cable in.

## Loading ramp

The ramp is lowered by the green lever. Nobody stands below it while it moves.
"""
SAID = "An orange forklift with lowered forks stands at a charging point; a cable is plugged in."
EVIDENCE = "visual_evidence/kb.parquet"


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(model_server, "BACKOFF_SECONDS", 0.001)
    with description_server() as server:
        server.says["orange"] = SAID
        yield server


@pytest.fixture
def base(knowledge_base):
    """The knowledge base with a photo of a camera's name on which nothing is written, far from its document."""
    (knowledge_base.docs / "warehouse.md").write_text(FORKLIFT)
    photo = Image.new("RGB", (800, 600), "lightgrey")
    photo.paste(COLOURS["orange"], (200, 150, 600, 450))
    (knowledge_base.docs / "DCIM").mkdir()
    photo.filter(ImageFilter.GaussianBlur(9)).save(knowledge_base.docs / "DCIM" / "IMG_0412.jpg")
    return knowledge_base


def run(base, url=None, **settings):
    section = {"documents": [{"root": str(base.docs)}], "scoring": {"ocr": False}}
    if url:
        section["descriptions"] = {"url": url, "model": "eyes", **settings}
    config = base.root / "collections.yaml"
    config.write_text(yaml.safe_dump({"collections": {"kb": section}}))
    return base.command("run", "--config", str(config), "--no-graph")


def best_passage(base):
    """Of the photo: heading, confidence, and whether it becomes an edge."""
    image_id = next(row["image_id"] for row in base.table("images").to_dicts() if row["path"].endswith("IMG_0412.jpg"))
    headings = {row["chunk_id"]: row["heading_path"][-1] for row in base.table("chunks").to_dicts()}
    rows = [row for row in base.table("visual_evidence").to_dicts() if row["image_id"] == image_id]
    best = next(row for row in rows if row["text_kind"] == "chunk" and row["rank"] == 1)
    return (headings[best["text_id"]], best["confidence"], best["kept"])


def test_a_photo_that_nothing_else_finds_is_found_by_its_description(base, model):
    assert run(base).exit_code == 0
    without, never = best_passage(base), base.table_files()
    assert without[0] != "Charging the forklift"
    assert not without[2]
    photo = next(row for row in base.table("orphan_images").to_dicts() if row["path"].endswith("IMG_0412.jpg"))
    assert photo["reason"] == "unmatched"

    result = run(base, model.url)
    assert result.exit_code == 0, result.output
    heading, confidence, _ = best_passage(base)
    assert heading == "Charging the forklift"
    assert confidence > without[1]
    texts = base.table("image_texts").to_dicts()
    assert SAID in [row["text"] for row in texts if row["source"] == "description"]

    described, asked = base.table_files(), len(model.requests)
    assert run(base, model.url).exit_code == 0
    assert base.table_files() == described
    assert len(model.requests) == asked == len({row["image_id"] for row in texts})

    assert run(base).exit_code == 0
    assert base.table_files() == never


def test_without_the_server_the_run_fails_with_advice_and_goes_on_when_it_is_back(base, model):
    model.fails_after = 2
    result = run(base, model.url, parallel=1)
    assert result.exit_code == 1
    assert "look at its log" in result.output
    assert "Traceback" not in result.output
    assert [failure["step"].split("[")[0] for failure in base.last_run()["failures"]] == ["image_descriptions"]
    model.fails_after = None
    asked = len(model.requests)
    assert run(base, model.url).exit_code == 0
    assert len(model.requests) - asked == len(base.table("image_descriptions")) - 2


def test_the_number_of_pictures_is_limited_in_plain_words(base, model):
    result = run(base, model.url, max_new_images=1)
    assert result.exit_code == 1
    assert "5 pictures are new, max_new_images allows 1" in result.output
    assert model.requests == []
