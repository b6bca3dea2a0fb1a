from types import SimpleNamespace

import pytest
from PIL import Image
from typer.testing import CliRunner

from kg_pipeline.cli import app


@pytest.fixture
def config(tmp_path):
    (tmp_path / "docs").mkdir()
    for number in range(3):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / "docs" / f"{number}.png")
    path = tmp_path / "collections.yaml"
    path.write_text("collections:\n  plant:\n    documents: [{root: docs}]\n")
    return path


def doctor(monkeypatch, tmp_path, *options) -> SimpleNamespace:
    # Which server is there is none of this test's business.
    monkeypatch.setattr("kg_pipeline.doctor.check_server", lambda *_: [])
    return CliRunner().invoke(app, ["doctor", "--home", str(tmp_path / "home"), *options], env={"COLUMNS": "200"})


def test_the_doctor_says_what_reading_the_pictures_will_cost(monkeypatch, tmp_path, config):
    found = doctor(monkeypatch, tmp_path, "--config", str(config), "--collection", "plant")
    assert "3 pictures to read, about" in found.output


def test_a_collection_that_is_not_configured_is_refused(monkeypatch, tmp_path, config):
    found = doctor(monkeypatch, tmp_path, "--config", str(config), "--collection", "plent")
    assert found.exit_code == 1
    assert "plant" in found.output
